// A serial line to an event stream and back: 8 data bits, no parity, one stop bit, DIVISOR clocks per bit.
//
// An event is INPUT_BYTES bytes, the lowest first, its result OUTPUT_BYTES bytes, the lowest first; nothing frames them.
// A break (the line low throughout a frame, its stop bit included) forgets every event under way, part of one too: so a
// host that does not know in which state it finds the board gets into step with it.
//
// With SETTING_BYTES above 0 the first byte after a break is a command: 0 keeps the setting, 1 is followed by a new one,
// SETTING_BYTES bytes, the lowest first, which holds from its last byte on. Events follow. The setting is SETTING_START
// after a reset, and events may follow that at once.

module codesign_uart_rx #(
    parameter DIVISOR = 16
) (
    input wire clk,
    input wire reset,
    input wire rx,
    output reg [7:0] data,
    output reg valid,  // for one clock
    output reg line_break  // as long as the line stays low
);
  localparam BITS = $clog2(DIVISOR + 1);
  reg [2:0] line;  // synchroniser: rx comes from another clock
  reg busy;
  reg [3:0] index;  // 0: start bit, 1 to 8: data, 9: stop bit
  reg [BITS-1:0] count;

  always @(posedge clk) begin
    line <= {line[1:0], rx};
    valid <= 1'b0;
    if (line[2]) line_break <= 1'b0;
    if (!busy) begin
      // a break keeps the line low: the next start bit is one that follows a high line
      if (!line[2] && !line_break) begin
        busy <= 1'b1;
        index <= 0;
        count <= DIVISOR / 2 - 1;
      end
    end else if (count != 0) begin
      count <= count - 1'b1;
    end else begin
      count <= DIVISOR - 1;
      index <= index + 1'b1;
      if (index == 0) begin
        if (line[2]) busy <= 1'b0;  // a glitch, not a start bit
      end else if (index != 9) begin
        data <= {line[2], data[7:1]};
      end else begin
        busy <= 1'b0;
        valid <= line[2];
        line_break <= !line[2];
      end
    end
    if (reset) begin
      line <= 3'b111;
      busy <= 1'b0;
      valid <= 1'b0;
      line_break <= 1'b0;
    end
  end
endmodule

module codesign_uart_tx #(
    parameter DIVISOR = 16
) (
    input wire clk,
    input wire reset,
    input wire [7:0] data,
    input wire valid,
    output wire ready,
    output wire tx
);
  localparam BITS = $clog2(DIVISOR + 1);
  reg [9:0] frame;  // stop bit, data, start bit: leaves from bit 0
  reg [3:0] left;
  reg [BITS-1:0] count;

  assign ready = left == 0;
  assign tx = frame[0];

  always @(posedge clk) begin
    if (left != 0) begin
      if (count != 0) begin
        count <= count - 1'b1;
      end else begin
        frame <= {1'b1, frame[9:1]};
        left <= left - 1'b1;
        count <= DIVISOR - 1;
      end
    end else if (valid) begin
      frame <= {1'b1, data, 1'b0};
      left <= 10;
      count <= DIVISOR - 1;
    end
    if (reset) begin
      frame <= 10'h3ff;
      left <= 0;
    end
  end
endmodule

module codesign_serial #(
    parameter INPUT_BYTES = 1,
    parameter OUTPUT_BYTES = 1,
    parameter SETTING_BYTES = 0,
    parameter [8*SETTING_BYTES+7:0] SETTING_START = 0,
    parameter DIVISOR = 16
) (
    input wire clk,
    input wire reset,
    input wire rx,
    output wire tx,
    output wire [8*SETTING_BYTES+7:0] setting,  // the highest byte is 0
    output wire forget,  // the host sent a break
    output reg overrun,  // the host sent more than it may: an event was lost
    output wire [8*INPUT_BYTES-1:0] event_data,
    output reg event_valid,
    input wire event_ready,
    input wire [8*OUTPUT_BYTES-1:0] result_data,
    input wire result_valid,
    output wire result_ready
);
  localparam IN_BITS = $clog2(INPUT_BYTES + 1);
  localparam OUT_BITS = $clog2(OUTPUT_BYTES + 1);

  wire [7:0] received;
  wire received_valid;
  codesign_uart_rx #(.DIVISOR(DIVISOR)) receiver (
      .clk(clk), .reset(reset), .rx(rx), .data(received), .valid(received_valid), .line_break(forget)
  );

  wire for_setting;  // the byte received is a command, or of a setting
  generate
    if (SETTING_BYTES > 0) begin : settings
      reg [8*SETTING_BYTES-1:0] value, coming;
      reg command;
      reg [$clog2(SETTING_BYTES+1)-1:0] missing;
      wire [8*SETTING_BYTES+7:0] coming_next = {received, coming};
      assign for_setting = command | (missing != 0);
      assign setting = {8'd0, value};

      always @(posedge clk) begin
        if (received_valid) begin
          if (command) begin
            command <= 1'b0;
            if (received == 8'd1) missing <= SETTING_BYTES;
          end else if (missing != 0) begin
            missing <= missing - 1'b1;
            coming <= coming_next[8*SETTING_BYTES+7:8];
            if (missing == 1) value <= coming_next[8*SETTING_BYTES+7:8];
          end
        end
        if (forget) command <= 1'b1;
        if (reset) command <= 1'b0;
        if (reset | forget) missing <= 0;
        if (reset) value <= SETTING_START[8*SETTING_BYTES-1:0];
      end
    end else begin : no_settings
      assign for_setting = 1'b0;
      assign setting = 8'd0;
    end
  endgenerate

  reg [8*INPUT_BYTES-1:0] word;
  reg [IN_BITS-1:0] bytes;
  wire [8*INPUT_BYTES+7:0] word_next = {received, word};
  assign event_data = word;

  always @(posedge clk) begin
    if (event_ready) event_valid <= 1'b0;
    if (received_valid & ~for_setting) begin
      word <= word_next[8*INPUT_BYTES+7:8];
      bytes <= bytes + 1'b1;
      if (event_valid & ~event_ready) overrun <= 1'b1;  // the word changes before it was taken
      if (bytes == INPUT_BYTES - 1) begin
        bytes <= 0;
        event_valid <= 1'b1;
      end
    end
    if (reset | forget) begin
      bytes <= 0;
      event_valid <= 1'b0;
    end
    if (reset) overrun <= 1'b0;
  end

  reg [8*OUTPUT_BYTES-1:0] result;
  reg [OUT_BITS-1:0] left;
  wire sent;
  assign result_ready = left == 0;

  codesign_uart_tx #(.DIVISOR(DIVISOR)) sender (
      .clk(clk), .reset(reset), .data(result[7:0]), .valid(left != 0), .ready(sent), .tx(tx)
  );

  always @(posedge clk) begin
    if (result_ready) begin
      if (result_valid) begin
        result <= result_data;
        left <= OUTPUT_BYTES;
      end
    end else if (sent) begin
      result <= result >> 8;
      left <= left - 1'b1;
    end
    if (reset | forget) left <= 0;
  end
endmodule
