# Out of context: one block, without pads, through synthesis, placement and routing. Its reports land in the working
# directory. Written from AMD's documents (UG835, UG905); run it as
#   vivado -mode batch -source ooc.tcl -tclargs TOP PART PERIOD_NS CLOCK_PORT SOURCE...
lassign [lrange $argv 0 3] top part period clock
foreach source [lrange $argv 4 end] {
  switch [file extension $source] {
    .v - .vh { read_verilog [list $source] }
    .sv - .svh { read_verilog -sv [list $source] }
    .vhd { read_vhdl [list $source] }
    .dat - .mem { read_mem [list $source] }
    default { error "$source: no Verilog, VHDL or memory file" }
  }
}
set constraints [open clock.xdc w]
puts $constraints "create_clock -name $clock -period $period \[get_ports $clock\]"
close $constraints
read_xdc -mode out_of_context clock.xdc

synth_design -mode out_of_context -top $top -part $part
report_utilization -file utilization_synth.rpt
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization_routed.rpt
report_timing_summary -file timing_routed.rpt
report_power -file power_routed.rpt
