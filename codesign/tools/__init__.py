"""Yosys, nextpnr, Verilator, Vivado: one runner each, with time limits and no shell."""
