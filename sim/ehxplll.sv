// The ECP5's PLL for simulation, as far as a serial board top needs it: the clock passes as it comes, always locked.
// Frequencies are not modelled: a bit of the serial line is counted in clocks, and so is everything else.
`timescale 1ns / 1ps

module EHXPLLL #(
    parameter CLKI_DIV = 1,
    parameter CLKFB_DIV = 1,
    parameter CLKOP_DIV = 8,
    parameter CLKOP_CPHASE = 0,
    parameter CLKOP_FPHASE = 0,
    parameter CLKOP_ENABLE = "ENABLED",
    parameter FEEDBK_PATH = "CLKOP",
    parameter PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED",
    parameter DPHASE_SOURCE = "DISABLED",
    parameter OUTDIVIDER_MUXA = "DIVA"
) (
    input CLKI,
    input CLKFB,
    input RST,
    input STDBY,
    input PHASESEL0,
    input PHASESEL1,
    input PHASEDIR,
    input PHASESTEP,
    input PHASELOADREG,
    input PLLWAKESYNC,
    input ENCLKOP,
    output CLKOP,
    output LOCK
);
  assign CLKOP = CLKI;
  assign LOCK  = 1'b1;
endmodule
