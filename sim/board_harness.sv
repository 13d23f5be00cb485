// Instantiates a serial board top with the pins that the cocotb bench drives and reads, as the host's cable does.
// It has no ports, as the other harnesses, so that the simulation's main program is compiled once and reused.
`timescale 1ns / 1ps

module board_harness;
  logic clk  /* verilator public_flat_rw */ = 1'b0;
  logic to_board  /* verilator public_flat_rw */ = 1'b1;
  logic from_board  /* verilator public_flat_rd */;
  logic [7:0] led  /* verilator public_flat_rd */;
  logic wifi_gpio0;

`ifdef BOARD_CROSSLINK_NX_EVN
  logic [2:0] led_n;
  assign led = {5'd0, ~led_n};
  codesign_board dut (
      .clk_12mhz(clk),
      .btn_reset_n(1'b1),
      .uart_rx(to_board),
      .uart_tx(from_board),
      .led_n(led_n)
  );
`else
  codesign_board dut (
      .clk_25mhz(clk),
      .btn_reset(1'b0),
      .ftdi_txd(to_board),
      .ftdi_rxd(from_board),
      .led(led),
      .wifi_gpio0(wifi_gpio0)
  );
`endif
endmodule
