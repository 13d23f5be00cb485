"""hls4ml as a flow: an HLS project that gives a design's integers in C simulation, and what the vendor makes of it."""
