// SPDX-License-Identifier: Apache-2.0
// How to instantiate the IP core: every port once. All of them are synchronous to `aclk`.
module antevolt_ip_example (
    input  wire        aclk,
    input  wire        aresetn,        // low for a cycle at least
    // inputs: a word of a stream in the low $WORD bits, its flags in TUSER with the first word
    input  wire [31:0] x_tdata,
    input  wire [5:0]  x_tuser,
    input  wire        x_tlast,        // once more the flag LAST
    input  wire        x_tvalid,
    output wire        x_tready,
    // targets, of the streams whose flags announce one
    input  wire [31:0] y_tdata,
    input  wire        y_tvalid,
    output wire        y_tready,
    // outputs, with their sign
    output wire [31:0] out_tdata,
    output wire [4:0]  out_tuser,
    output wire        out_tlast,
    output wire        out_tvalid,
    input  wire        out_tready,
    // registers: 64 bytes
    input  wire [5:0]  awaddr,
    input  wire        awvalid,
    output wire        awready,
    input  wire [31:0] wdata,
    input  wire [3:0]  wstrb,
    input  wire        wvalid,
    output wire        wready,
    output wire [1:0]  bresp,
    output wire        bvalid,
    input  wire        bready,
    input  wire [5:0]  araddr,
    input  wire        arvalid,
    output wire        arready,
    output wire [31:0] rdata,
    output wire [1:0]  rresp,
    output wire        rvalid,
    input  wire        rready,
    output wire        busy
);

    antevolt_ip core (
        .aclk(aclk), .aresetn(aresetn), .busy(busy),
        .s_axis_x_tdata(x_tdata), .s_axis_x_tuser(x_tuser), .s_axis_x_tlast(x_tlast),
        .s_axis_x_tvalid(x_tvalid), .s_axis_x_tready(x_tready),
        .s_axis_y_tdata(y_tdata), .s_axis_y_tvalid(y_tvalid), .s_axis_y_tready(y_tready),
        .m_axis_out_tdata(out_tdata), .m_axis_out_tuser(out_tuser),
        .m_axis_out_tlast(out_tlast), .m_axis_out_tvalid(out_tvalid),
        .m_axis_out_tready(out_tready),
        .s_axi_awaddr(awaddr), .s_axi_awprot(3'd0), .s_axi_awvalid(awvalid),
        .s_axi_awready(awready),
        .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(wvalid), .s_axi_wready(wready),
        .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .s_axi_araddr(araddr), .s_axi_arprot(3'd0), .s_axi_arvalid(arvalid),
        .s_axi_arready(arready),
        .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(rready)
    );

endmodule
