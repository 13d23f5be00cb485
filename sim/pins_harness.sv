// Around the entity codesign_pins, whose inputs lie side by side in d and its outputs in q, with signals that the cocotb
// bench drives and reads. Defined on the command line: CODESIGN_D_WIDTH and CODESIGN_Q_WIDTH. No ports: see
// stream_harness.sv.
`timescale 1ns / 1ps

module pins_harness;
  logic clk  /* verilator public_flat_rw */ = 1'b0;
  logic [`CODESIGN_D_WIDTH-1:0] d  /* verilator public_flat_rw */;
  logic [`CODESIGN_Q_WIDTH-1:0] q  /* verilator public_flat_rd */;

  codesign_pins dut (
      .clk(clk),
      .d(d),
      .q(q)
  );
endmodule
