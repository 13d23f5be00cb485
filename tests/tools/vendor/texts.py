"""Excerpts of reports in the vendor's formats, with numbers of our own.

Where the formats were seen, beside AMD UG906, UG907 and UG1399: utilisation of Vivado 2022.1 for UltraScale+ in
github.com/vic9112/PQC_Falcon (README.md, Compute_pk_IP/utilization.rpt), of 2018.2 to 2023.2 in the headings of public
``*_utilization_placed.rpt``; timing of 2021.2 in github.com/gussmith23/lakeroad-evaluation (runs); power of 2022.2 as
the test data of public readers of ``*_power_routed.rpt``; C synthesis as hls4ml 1.3 reads it; co-simulation in
github.com/vic9112/PQC_Falcon (data_for_report/PE_NTT_report/NTT_cosim.rpt).
"""

from __future__ import annotations

from textwrap import dedent

__all__ = ("COSIM", "CSYNTH", "POWER", "SEVEN_SERIES", "TIMING", "UTILISATION", "heading")


def heading(command: str, version: str = "2022.1") -> str:
    """The lines above every report of Vivado."""
    return dedent(f"""\
        Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
        -----------------------------------------------------------------------------------------------
        | Tool Version : Vivado v.{version} (lin64) Build 3526262 Mon Apr 18 15:47:01 MDT 2022
        | Date         : Tue Jan 30 10:15:42 2024
        | Host         : host running 64-bit Ubuntu 22.04.3 LTS
        | Command      : {command}
        | Design       : codesign_top
        | Device       : xcvu13p-flga2577-2-e
        | Speed File   : -2
        | Design State : Routed
        -----------------------------------------------------------------------------------------------

        """)


UTILISATION = heading("report_utilization -file utilization_routed.rpt") + dedent("""\
    Utilization Design Information

    Table of Contents
    -----------------
    1. CLB Logic
    1.1 Summary of Registers by Type
    3. BLOCKRAM
    4. ARITHMETIC

    1. CLB Logic
    ------------

    +----------------------------+------+-------+------------+-----------+-------+
    |          Site Type         | Used | Fixed | Prohibited | Available | Util% |
    +----------------------------+------+-------+------------+-----------+-------+
    | CLB LUTs                   | 5365 |     0 |          0 |   1728000 |  0.31 |
    |   LUT as Logic             | 4591 |     0 |          0 |   1728000 |  0.27 |
    |   LUT as Memory            |  774 |     0 |          0 |    791040 |  0.10 |
    |     LUT as Distributed RAM |    0 |     0 |            |           |       |
    |     LUT as Shift Register  |  774 |     0 |            |           |       |
    | CLB Registers              | 6171 |     0 |          0 |   3456000 |  0.18 |
    |   Register as Flip Flop    | 6171 |     0 |          0 |   3456000 |  0.18 |
    |   Register as Latch        |    0 |     0 |          0 |   3456000 |  0.00 |
    | CARRY8                     |  353 |     0 |          0 |    216000 |  0.16 |
    | F7 Muxes                   |    3 |     0 |          0 |    864000 | <0.01 |
    +----------------------------+------+-------+------------+-----------+-------+


    1.1 Summary of Registers by Type
    --------------------------------

    +-------+--------------+-------------+--------------+
    | Total | Clock Enable | Synchronous | Asynchronous |
    +-------+--------------+-------------+--------------+
    | 0     |            _ |           - |            - |
    | 6171  |          Yes |       Reset |            - |
    +-------+--------------+-------------+--------------+


    3. BLOCKRAM
    -----------

    +-------------------+------+-------+------------+-----------+-------+
    |     Site Type     | Used | Fixed | Prohibited | Available | Util% |
    +-------------------+------+-------+------------+-----------+-------+
    | Block RAM Tile    |  2.5 |     0 |          0 |      2688 |  0.09 |
    |   RAMB36/FIFO*    |    2 |     0 |          0 |      2688 |  0.07 |
    |     RAMB36E2 only |    2 |       |            |           |       |
    |   RAMB18          |    1 |     0 |          0 |      5376 |  0.02 |
    | URAM              |    0 |     0 |          0 |      1280 |  0.00 |
    +-------------------+------+-------+------------+-----------+-------+
    * Note: Each Block RAM Tile only has one FIFO logic available and therefore can accommodate only one FIFO36E2.


    4. ARITHMETIC
    -------------

    +----------------+------+-------+------------+-----------+-------+
    |    Site Type   | Used | Fixed | Prohibited | Available | Util% |
    +----------------+------+-------+------------+-----------+-------+
    | DSPs           |   12 |     0 |          0 |     12288 |  0.10 |
    |   DSP48E2 only |   12 |       |            |           |       |
    +----------------+------+-------+------------+-----------+-------+


    8. Primitives
    -------------

    +----------+------+---------------------+
    | Ref Name | Used | Functional Category |
    +----------+------+---------------------+
    | FDRE     | 6171 |            Register |
    | LUT6     | 2210 |                 CLB |
    | CARRY8   |  353 |                 CLB |
    | DSP48E2  |   12 |          Arithmetic |
    +----------+------+---------------------+
    """)

#: before Vivado 2021 there was no column "Prohibited"; after synthesis the count of LUTs has a footnote
SEVEN_SERIES = heading("report_utilization -file utilization_synth.rpt", "2018.2") + dedent("""\
    1. Slice Logic
    --------------

    +-------------------------+------+-------+-----------+-------+
    |        Site Type        | Used | Fixed | Available | Util% |
    +-------------------------+------+-------+-----------+-------+
    | Slice LUTs*             | 1,234 |     0 |     53200 |  2.32 |
    |   LUT as Logic          | 1234 |     0 |     53200 |  2.32 |
    | Slice Registers         | 2048 |     0 |    106400 |  1.92 |
    +-------------------------+------+-------+-----------+-------+
    * Warning! The Final LUT count, after physical optimizations and full implementation, is typically lower.
    """)


def timing(slack: str = "0.153", clocks: str = "clk    {0.000 1.389}        2.778           360.000         ") -> str:
    """A ``report_timing_summary`` with this worst slack and these clocks."""
    return heading("report_timing_summary -file timing_routed.rpt", "2021.2") + dedent("""\
        Timing Summary Report

        ------------------------------------------------------------------------------------------------
        | Timer Settings
        | --------------
        ------------------------------------------------------------------------------------------------

          Enable Multi Corner Analysis               :  Yes

        ------------------------------------------------------------------------------------------------
        | Design Timing Summary
        | ---------------------
        ------------------------------------------------------------------------------------------------

            WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
            -------      -------  ---------------------  -------------------      -------      -------
              SLACK        0.000                      0                  723        0.022        0.000


        All user specified timing constraints are met.


        ------------------------------------------------------------------------------------------------
        | Clock Summary
        | -------------
        ------------------------------------------------------------------------------------------------

        Clock  Waveform(ns)         Period(ns)      Frequency(MHz)
        -----  ------------         ----------      --------------
        CLOCKS


        ------------------------------------------------------------------------------------------------
        | Intra Clock Table
        | -----------------
        ------------------------------------------------------------------------------------------------

        Clock             WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)
        -----             -------      -------  ---------------------  -------------------      -------
        clk                 9.999        0.000                      0                  723        0.022
        """).replace("SLACK", slack).replace("CLOCKS", clocks)


TIMING = timing()

POWER = heading("report_power -file power_routed.rpt", "2022.2") + dedent("""\
    1. Summary
    ----------

    +--------------------------+--------------+
    | Total On-Chip Power (W)  | 3.412        |
    | Design Power Budget (W)  | Unspecified* |
    | Power Budget Margin (W)  | NA           |
    | Dynamic (W)              | 0.512        |
    | Device Static (W)        | 2.900        |
    | Junction Temperature (C) | 27.1         |
    | Confidence Level         | Low          |
    +--------------------------+--------------+
    """)

CSYNTH = """\
<profile>
<section name = "General Information" level="0"/>
<ReportVersion>
  <Version>2023.2</Version>
</ReportVersion>
<UserAssignments>
  <unit>ns</unit>
  <ProductFamily>virtexuplus</ProductFamily>
  <Part>xcvu13p-flga2577-2-e</Part>
  <TopModelName>codesign_hls</TopModelName>
  <TargetClockPeriod>2.78</TargetClockPeriod>
  <ClockUncertainty>0.75</ClockUncertainty>
  <FlowTarget>vivado</FlowTarget>
</UserAssignments>
<PerformanceEstimates>
  <PipelineType>yes</PipelineType>
  <SummaryOfTimingAnalysis>
    <unit>ns</unit>
    <EstimatedClockPeriod>2.016</EstimatedClockPeriod>
  </SummaryOfTimingAnalysis>
  <SummaryOfOverallLatency>
    <unit>clock cycles</unit>
    <Best-caseLatency>9</Best-caseLatency>
    <Average-caseLatency>9</Average-caseLatency>
    <Worst-caseLatency>9</Worst-caseLatency>
    <Best-caseRealTimeLatency>25.020 ns</Best-caseRealTimeLatency>
    <Interval-min>1</Interval-min>
    <Interval-max>1</Interval-max>
  </SummaryOfOverallLatency>
</PerformanceEstimates>
<AreaEstimates>
  <Resources>
    <BRAM_18K>3</BRAM_18K>
    <DSP>5</DSP>
    <FF>1432</FF>
    <LUT>7654</LUT>
    <URAM>0</URAM>
  </Resources>
  <AvailableResources>
    <BRAM_18K>5376</BRAM_18K>
    <DSP>12288</DSP>
    <FF>3456000</FF>
    <LUT>1728000</LUT>
    <URAM>1280</URAM>
  </AvailableResources>
</AreaEstimates>
</profile>
"""

COSIM = """\


================================================================
== Cosim Report for 'codesign_hls'
================================================================
Report time       : Tue 30 Jan 2024 10:21:11 AM UTC.
Solution          : solution1.
Simulation tool   : xsim.

+----------+----------+-----------------------------------------------+-----------------------------------------------+----------------------+
|          |          |          Latency(Clock Cycles)                |              Interval(Clock Cycles)           |  Total Execution Time|
+   RTL    +  Status  +-----------------------------------------------+-----------------------------------------------+    (Clock Cycles)    +
|          |          |      min      |      avg      |      max      |      min      |      avg      |      max      |                      |
+----------+----------+-----------------------------------------------+-----------------------------------------------+----------------------+
|      VHDL|        NA|             NA|             NA|             NA|             NA|             NA|             NA|                    NA|
|   Verilog|      Pass|              8|              8|              9|              1|              1|              1|                   209|
+----------+----------+-----------------------------------------------+-----------------------------------------------+----------------------+
"""  # noqa: E501
