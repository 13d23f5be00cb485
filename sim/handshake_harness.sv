// Plays events into a firmware with AXI4-Stream ports, one event a beat, and writes down when and what comes out.
//
// Everything is done here, so that a simulation of many clocks does not wait for Python; the cocotb bench only ticks the
// clock. It has no ports, as the other harnesses. Defined on the command line: CODESIGN_TOP, CODESIGN_INP_WIDTH,
// CODESIGN_OUT_WIDTH (bits of tdata), CODESIGN_EVENTS. Given at run time: +period (clocks between two offers; 0: as soon
// as the last one is taken; -1: after the last one has come out), +stall_in and +stall_out (percent of clocks on which a
// side waits, at random), +events, +patience (clocks without a result after which it ends). Files in the current folder:
// stimulus.hex (one event a line), response.txt (written: "i CLOCK" and "o CLOCK WORD" for each handshake, "b CLOCK" for a
// breach of the protocol: valid withdrawn or data changed before the event was taken).
`timescale 1ns / 1ps

module handshake_harness;
  logic aclk  /* verilator public_flat_rw */ = 1'b0;
  logic done  /* verilator public_flat_rd */ = 1'b0;

  logic aresetn = 1'b0;
  logic [`CODESIGN_INP_WIDTH-1:0] s_axis_tdata = '0;
  logic s_axis_tvalid = 1'b0;
  wire s_axis_tready;
  wire [`CODESIGN_OUT_WIDTH-1:0] m_axis_tdata;
  wire m_axis_tvalid;
  logic m_axis_tready = 1'b0;

  `CODESIGN_TOP dut (.*);

  logic [`CODESIGN_INP_WIDTH-1:0] words[`CODESIGN_EVENTS];
  int period = 0, stall_in = 0, stall_out = 0, events = `CODESIGN_EVENTS, patience = 10000;
  int file, clocks = 0, offered = 0, received = 0, next_offer = 0, silent = 0;

  initial begin
    $readmemh("stimulus.hex", words);
    void'($value$plusargs("period=%d", period));
    void'($value$plusargs("stall_in=%d", stall_in));
    void'($value$plusargs("stall_out=%d", stall_out));
    void'($value$plusargs("events=%d", events));
    void'($value$plusargs("patience=%d", patience));
    file = $fopen("response.txt", "w");
  end

  function automatic logic waits(input int percent);
    return int'($urandom_range(99)) < percent;
  endfunction

  logic held = 1'b0;
  logic [`CODESIGN_OUT_WIDTH-1:0] holding = '0;
  wire taken = aresetn && s_axis_tvalid && s_axis_tready;
  wire given = aresetn && m_axis_tvalid && m_axis_tready;
  wire due = clocks >= next_offer && (period >= 0 || offered == received + (given ? 1 : 0));

  always @(posedge aclk) begin
    clocks <= clocks + 1;
    aresetn <= clocks >= 20;
    if (taken) $fwrite(file, "i %0d\n", clocks);
    if (given) begin
      $fwrite(file, "o %0d %h\n", clocks, m_axis_tdata);
      received <= received + 1;
    end
    if (aresetn && held && (!m_axis_tvalid || m_axis_tdata !== holding)) $fwrite(file, "b %0d\n", clocks);
    held <= aresetn && m_axis_tvalid && !m_axis_tready;
    holding <= m_axis_tdata;

    if (clocks >= 40 && (!s_axis_tvalid || taken)) begin
      if (offered < events && due && !waits(stall_in)) begin
        s_axis_tvalid <= 1'b1;
        s_axis_tdata <= words[offered];
        offered <= offered + 1;
        next_offer <= (period > 0 && next_offer > 0 ? next_offer : clocks) + (period > 0 ? period : 0);
      end else s_axis_tvalid <= 1'b0;
    end
    m_axis_tready <= clocks >= 40 && !waits(stall_out);

    // when all are out, an event too many gets the time to show itself
    silent <= given ? 0 : silent + 1;
    if (!done && clocks > 40 && ((received >= events && silent > 500) || silent > patience)) begin
      $fclose(file);
      done <= 1'b1;
    end
  end

  if ($bits(dut.s_axis_tdata) != `CODESIGN_INP_WIDTH || $bits(dut.m_axis_tdata) != `CODESIGN_OUT_WIDTH) begin : g_width
    $fatal(1, "tdata does not have the width of the design's ports");
  end
endmodule
