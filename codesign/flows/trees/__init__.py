"""The flow of boosted trees: Verilog of our own."""
