"""What may be used of what others could have written: the user's own key, seals by it, and a checker of Verilog."""
