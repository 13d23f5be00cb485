"""FINN as a flow: dataflow accelerators of matrix and threshold layers, without Vivado."""
