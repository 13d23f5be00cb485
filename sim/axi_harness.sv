// Instantiates an AXI4-Stream wrapper with signals that the cocotb bench drives, and watches the protocol.
//
// It has no ports, as the other harness, so that the simulation's main program is compiled once and reused. Counted at
// every rising edge: clocks on which a side waits, events in and out, and breaches of the protocol on the output: valid
// withdrawn, or data or last changed, before the event was taken (AMBA AXI-Stream, IHI 0051, section 2.2), and valid
// one clock after reset was asserted. Defined on the command line: CODESIGN_INP_WIDTH, CODESIGN_OUT_WIDTH (bits), and
// CODESIGN_THRESHOLD, a sized constant, for a design that triggers.
`timescale 1ns / 1ps

module axi_harness;
  logic aclk  /* verilator public_flat_rw */ = 1'b0;
  logic aresetn  /* verilator public_flat_rw */ = 1'b0;
  logic [`CODESIGN_INP_WIDTH-1:0] s_axis_tdata  /* verilator public_flat_rw */;
  logic s_axis_tvalid  /* verilator public_flat_rw */ = 1'b0;
  logic s_axis_tready  /* verilator public_flat_rd */;
  logic s_axis_tlast  /* verilator public_flat_rw */ = 1'b0;
  logic [`CODESIGN_OUT_WIDTH-1:0] m_axis_tdata  /* verilator public_flat_rd */;
  logic m_axis_tvalid  /* verilator public_flat_rd */;
  logic m_axis_tready  /* verilator public_flat_rw */ = 1'b0;
  logic m_axis_tlast  /* verilator public_flat_rd */;

`ifdef CODESIGN_THRESHOLD
  logic [$bits(`CODESIGN_THRESHOLD)-1:0] threshold = `CODESIGN_THRESHOLD;
`endif

  int clocks  /* verilator public_flat_rd */ = 0;
  int waits_in  /* verilator public_flat_rd */ = 0;
  int waits_out  /* verilator public_flat_rd */ = 0;
  int events_in  /* verilator public_flat_rd */ = 0;
  int events_out  /* verilator public_flat_rd */ = 0;
  int breaches  /* verilator public_flat_rd */ = 0;

  codesign_axi dut (.*);

  logic offered = 1'b0, in_reset = 1'b0;
  logic [`CODESIGN_OUT_WIDTH:0] offer;

  always @(posedge aclk) begin
    clocks <= clocks + 1;
    if (aresetn && s_axis_tvalid && !s_axis_tready) waits_in <= waits_in + 1;
    if (aresetn && m_axis_tvalid && !m_axis_tready) waits_out <= waits_out + 1;
    if (aresetn && s_axis_tvalid && s_axis_tready) events_in <= events_in + 1;
    if (aresetn && m_axis_tvalid && m_axis_tready) events_out <= events_out + 1;
    if (aresetn && offered && (!m_axis_tvalid || offer !== {m_axis_tlast, m_axis_tdata})) breaches <= breaches + 1;
    if (in_reset && !aresetn && m_axis_tvalid) breaches <= breaches + 1;
    offered <= aresetn && m_axis_tvalid && !m_axis_tready;
    offer <= {m_axis_tlast, m_axis_tdata};
    in_reset <= !aresetn;
  end

  if ($bits(dut.s_axis_tdata) != `CODESIGN_INP_WIDTH || $bits(dut.m_axis_tdata) != `CODESIGN_OUT_WIDTH) begin : g_width
    $fatal(1, "tdata does not have the width of the design's ports");
  end
endmodule
