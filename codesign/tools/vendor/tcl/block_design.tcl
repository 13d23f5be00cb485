# A board with a Zynq: processors, DMA and the network behind AXI4-Stream, from block design to bitstream. Written from
# AMD's documents (UG835, UG994, PG021, PG082, PG201); its caller sets, in the global name space,
#   part, board (pattern of the board part), connections (of a module on a carrier), ps (zynq7 or zynqmp), clock_mhz,
#   sources, top, input_bits, output_bits (of the streams) and threshold_bits (0: the design has no threshold).
# It leaves codesign.bit, codesign.hwh and codesign.xsa beside itself, and its reports.

proc connect {from args} {
  foreach to $args { connect_bd_net [get_bd_pins $from] [get_bd_pins $to] }
}

proc stream {from to} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

set here [file dirname [file normalize [info script]]]
set found [lsort -dictionary [get_board_parts -quiet $board]]
if {[llength $found] == 0} {
  error "no board files for $board in this Vivado: install them (Tools, Vivado Store, Boards), then run this again"
}
create_project -force codesign [file join $here build] -part $part
set_property board_part [lindex $found end] [current_project]
if {$connections ne ""} { set_property board_connections $connections [current_project] }
add_files -norecurse $sources
update_compile_order -fileset sources_1

create_bd_design system
if {$ps eq "zynq7"} {
  create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps
  apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
    -config {make_external "FIXED_IO, DDR" apply_board_preset "1" Master "Disable" Slave "Disable"} [get_bd_cells ps]
  set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz] [get_bd_cells ps]
  array set pin {clock ps/FCLK_CLK0 reset ps/FCLK_RESET0_N control ps/M_AXI_GP0 memory ps/S_AXI_HP0
    clocks {ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK}}
} else {
  create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
  apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} [get_bd_cells ps]
  set_property -dict [list CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__S_AXI_GP2 1 CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz] [get_bd_cells ps]
  array set pin {clock ps/pl_clk0 reset ps/pl_resetn0 control ps/M_AXI_HPM0_FPD memory ps/S_AXI_HP0_FPD
    clocks {ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk}}
}

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26 \
  CONFIG.c_m_axis_mm2s_tdata_width $input_bits CONFIG.c_m_axi_mm2s_data_width [expr {max(32, $input_bits)}] \
  CONFIG.c_m_axi_s2mm_data_width [expr {max(32, $output_bits)}]] [get_bd_cells dma]
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI [expr {$threshold_bits > 0 ? 2 : 1}]] [get_bd_cells control]
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory
set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1] [get_bd_cells memory]
create_bd_cell -type module -reference $top network

connect $pin(clock) {*}$pin(clocks) reset/slowest_sync_clk control/aclk memory/aclk network/aclk \
  dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk
connect $pin(reset) reset/ext_reset_in
connect reset/peripheral_aresetn control/aresetn memory/aresetn network/aresetn dma/axi_resetn
stream $pin(control) control/S00_AXI
stream control/M00_AXI dma/S_AXI_LITE
stream dma/M_AXI_MM2S memory/S00_AXI
stream dma/M_AXI_S2MM memory/S01_AXI
stream memory/M00_AXI $pin(memory)
stream dma/M_AXIS_MM2S network/s_axis
stream network/m_axis dma/S_AXIS_S2MM
if {$threshold_bits > 0} {
  create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio threshold
  set_property -dict [list CONFIG.C_GPIO_WIDTH $threshold_bits CONFIG.C_ALL_OUTPUTS 1] [get_bd_cells threshold]
  connect $pin(clock) threshold/s_axi_aclk
  connect reset/peripheral_aresetn threshold/s_axi_aresetn
  stream control/M01_AXI threshold/S_AXI
  connect threshold/gpio_io_o network/threshold
}
assign_bd_address
validate_bd_design
save_bd_design

set design [get_files system.bd]
add_files -norecurse [make_wrapper -files $design -top]
set_property top system_wrapper [current_fileset]
launch_runs impl_1 -to_step write_bitstream
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} { error "the implementation failed: see build/codesign.runs" }
open_run impl_1
report_utilization -hierarchical -file [file join $here board_utilization.rpt]
report_timing_summary -file [file join $here board_timing.rpt]
set runs [file join $here build codesign.runs impl_1]
file copy -force [file join $runs system_wrapper.bit] [file join $here codesign.bit]
write_hw_platform -fixed -include_bit -force -file [file join $here codesign.xsa]
foreach handoff [glob -nocomplain [file join $here build codesign.gen sources_1 bd system hw_handoff system.hwh]] {
  file copy -force $handoff [file join $here codesign.hwh]
}
