// AXI4-Stream around a pipeline that never stops: what enters at one edge leaves LATENCY edges later, wanted or not.
//
// Back-pressure is by credit: an event is let in only while the FIFO behind the pipeline has room for it and for all
// that are under way, so that none is lost however long the receiver stalls. The pipeline itself needs no enable, which
// would fan out to all of its registers. With 2**ADDRESS_BITS >= LATENCY + 4, one event each clock passes.
//
// `result` belongs to the event that was let in LATENCY edges before the edge that sampled it: the pipeline's output.
module codesign_axi_control #(
    parameter OUTPUT_BITS = 1,
    parameter LATENCY = 0,
    parameter ADDRESS_BITS = 2
) (
    input wire clk,
    input wire aresetn,
    input wire s_valid,
    output wire s_ready,
    input wire s_last,
    input wire [OUTPUT_BITS-1:0] result,
    output wire m_valid,
    input wire m_ready,
    output wire m_last,
    output wire [OUTPUT_BITS-1:0] m_data
);
  localparam [ADDRESS_BITS:0] DEPTH = 1 << ADDRESS_BITS;

  // Which of the events in the pipeline are real, and which of them end a packet.
  reg [LATENCY:0] valid, last;
  // Events let in and not yet taken by the receiver.
  reg [ADDRESS_BITS:0] open;
  reg ready;
  // The FIFO, and the register that it is read into.
  reg [OUTPUT_BITS:0] memory[0:(1<<ADDRESS_BITS)-1];
  reg [ADDRESS_BITS:0] written, read;
  reg full;
  reg [OUTPUT_BITS:0] head;

  wire enters = s_valid & ready;
  wire leaves = full & m_ready;
  wire [ADDRESS_BITS:0] change = {{ADDRESS_BITS{1'b0}}, enters} - {{ADDRESS_BITS{1'b0}}, leaves};
  wire [ADDRESS_BITS:0] open_next = open + change;
  wire load = (written != read) & (~full | m_ready);

  // The shift registers are one longer than what is kept, so that LATENCY may be 0.
  wire [LATENCY+1:0] valid_next = {valid, enters};
  wire [LATENCY+1:0] last_next = {last, s_last};

  always @(posedge clk) begin
    valid <= valid_next[LATENCY:0];
    last <= last_next[LATENCY:0];
    open <= open_next;
    ready <= open_next != DEPTH;
    if (valid[LATENCY]) begin
      memory[written[ADDRESS_BITS-1:0]] <= {last[LATENCY], result};
      written <= written + 1'b1;
    end
    if (load) begin
      head <= memory[read[ADDRESS_BITS-1:0]];
      read <= read + 1'b1;
    end
    full <= load | (full & ~m_ready);
    if (!aresetn) begin
      valid <= 0;
      open <= 0;
      ready <= 1'b0;
      written <= 0;
      read <= 0;
      full <= 1'b0;
    end
  end

  assign s_ready = ready;
  assign m_valid = full;
  assign {m_last, m_data} = head;
endmodule

// The ends of packets, beside RTL that takes and gives events by handshake, in order, and knows nothing of packets. At
// most 2**ADDRESS_BITS events are let in before the first has left.
module codesign_axi_last #(
    parameter ADDRESS_BITS = 2
) (
    input wire clk,
    input wire aresetn,
    input wire enters,
    input wire s_last,
    input wire leaves,
    output wire m_last,
    output wire room
);
  reg memory[0:(1<<ADDRESS_BITS)-1];
  reg [ADDRESS_BITS:0] written, read;
  wire [ADDRESS_BITS:0] held = written - read;

  always @(posedge clk) begin
    if (enters) begin
      memory[written[ADDRESS_BITS-1:0]] <= s_last;
      written <= written + 1'b1;
    end
    if (leaves) read <= read + 1'b1;
    if (!aresetn) begin
      written <= 0;
      read <= 0;
    end
  end

  assign room = ~held[ADDRESS_BITS];
  assign m_last = memory[read[ADDRESS_BITS-1:0]];
endmodule
