// Instantiates a firmware's top module with signals that the cocotb bench drives and reads.
//
// The harness has no ports on purpose: Verilator's generated class then looks the same for every design, so that the
// simulation's main program is compiled once and reused. Widths are checked here, because a simulator would only warn
// and pad. Defined on the command line: CODESIGN_TOP, CODESIGN_INP_WIDTH, CODESIGN_OUT_WIDTH, and
// CODESIGN_THRESHOLD_WIDTH for a design that triggers; its trigger bit is above model_out.
`timescale 1ns / 1ps

module stream_harness;
  logic clk  /* verilator public_flat_rw */ = 1'b0;
  logic [`CODESIGN_INP_WIDTH-1:0] model_inp  /* verilator public_flat_rw */;
`ifdef CODESIGN_THRESHOLD_WIDTH
  logic [`CODESIGN_THRESHOLD_WIDTH-1:0] threshold  /* verilator public_flat_rw */;
  logic [`CODESIGN_OUT_WIDTH:0] model_out  /* verilator public_flat_rd */;

  `CODESIGN_TOP dut (
      .clk(clk),
      .model_inp(model_inp),
      .threshold(threshold),
      .model_out(model_out[`CODESIGN_OUT_WIDTH-1:0]),
      .trigger(model_out[`CODESIGN_OUT_WIDTH])
  );

  if ($bits(dut.threshold) != `CODESIGN_THRESHOLD_WIDTH) begin : g_threshold
    $fatal(1, "threshold does not have the width of the output that is compared");
  end
`else
  logic [`CODESIGN_OUT_WIDTH-1:0] model_out  /* verilator public_flat_rd */;

  `CODESIGN_TOP dut (
      .clk(clk),
      .model_inp(model_inp),
      .model_out(model_out)
  );
`endif

  if ($bits(dut.model_inp) != `CODESIGN_INP_WIDTH) begin : g_inp
    $fatal(1, "model_inp does not have the width of the design's inputs");
  end
  if ($bits(dut.model_out) != `CODESIGN_OUT_WIDTH) begin : g_out
    $fatal(1, "model_out does not have the width of the design's outputs");
  end
endmodule
