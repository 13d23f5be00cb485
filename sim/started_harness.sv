// Instantiates firmware of the protocol "started" with signals that the cocotb bench drives and reads.
//
// The harness has no ports on purpose: Verilator's generated class then looks the same for every design, so that the
// simulation's main program is compiled once and reused. Defined on the command line: CODESIGN_TOP, CODESIGN_INP_WIDTH,
// CODESIGN_OUT_WIDTH, and CODESIGN_THRESHOLD_WIDTH for a design that triggers; its trigger bit is above model_out.
`timescale 1ns / 1ps

module started_harness;
  logic clk  /* verilator public_flat_rw */ = 1'b0;
  logic rst  /* verilator public_flat_rw */;
  logic first  /* verilator public_flat_rw */;
  logic [`CODESIGN_INP_WIDTH-1:0] model_inp  /* verilator public_flat_rw */;
  logic valid  /* verilator public_flat_rd */;
  logic error  /* verilator public_flat_rd */;
`ifdef CODESIGN_THRESHOLD_WIDTH
  logic [`CODESIGN_THRESHOLD_WIDTH-1:0] threshold  /* verilator public_flat_rw */;
  logic [`CODESIGN_OUT_WIDTH:0] model_out  /* verilator public_flat_rd */;
`else
  logic [`CODESIGN_OUT_WIDTH-1:0] model_out  /* verilator public_flat_rd */;
`endif

  `CODESIGN_TOP dut (
      .clk(clk),
      .rst(rst),
      .first(first),
      .model_inp(model_inp),
`ifdef CODESIGN_THRESHOLD_WIDTH
      .threshold(threshold),
      .trigger(model_out[`CODESIGN_OUT_WIDTH]),
`endif
      .model_out(model_out[`CODESIGN_OUT_WIDTH-1:0]),
      .valid(valid),
      .error(error)
  );

  if ($bits(dut.model_inp) != `CODESIGN_INP_WIDTH) begin : g_inp
    $fatal(1, "model_inp does not have the width of the design's inputs");
  end
  if ($bits(dut.model_out) != `CODESIGN_OUT_WIDTH) begin : g_out
    $fatal(1, "model_out does not have the width of the design's outputs");
  end
endmodule
