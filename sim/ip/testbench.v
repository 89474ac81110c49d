// SPDX-License-Identifier: Apache-2.0
// Self-checking testbench: $LOADS, lets it learn $STEPS steps under
// random pauses, and compares every output, and every weight afterwards, with what the model gave.
// The last line it prints begins with PASS or FAIL.
`timescale 1ns / 1ps
module antevolt_ip_tb;

    localparam WRITES = $WRITES, X = $X, Y = $Y, OUT = $OUT, READS = $READS;
    localparam [31:0] LIMIT = $LIMIT;  // cycles after which something hangs

    reg [31:0] cycle, errors, x_at, y_at, out_at;
    integer    seed;
    reg        aclk, aresetn, run, x_taken, y_taken, out_taken;
    reg [37:0] writes [0:WRITES - 1];  // byte address of the register, word
    reg [37:0] xs [0:X - 1];           // flags, word
    reg [31:0] ys [0:Y - 1];
    reg [36:0] outs [0:OUT - 1];       // flags, word
    reg [67:0] reads [0:READS - 1];    // address of a memory word, and the word

    reg         x_tvalid, y_tvalid, out_tready, awvalid, wvalid, bready, arvalid, rready;
    wire        x_tready, y_tready, out_tvalid, out_tlast, awready, wready, bvalid, arready, rvalid;
    reg  [5:0]  awaddr, araddr;
    reg  [31:0] wdata;
    wire [31:0] out_tdata, rdata;
    wire [4:0]  out_tuser;
    wire [1:0]  bresp, rresp;
    wire        busy;

    antevolt_ip_example example (
        .aclk(aclk), .aresetn(aresetn), .busy(busy),
        .x_tdata(xs[x_at < X ? x_at : 0][31:0]), .x_tuser(xs[x_at < X ? x_at : 0][37:32]),
        .x_tlast(1'b0), .x_tvalid(x_tvalid), .x_tready(x_tready),
        .y_tdata(ys[y_at < Y ? y_at : 0]), .y_tvalid(y_tvalid), .y_tready(y_tready),
        .out_tdata(out_tdata), .out_tuser(out_tuser), .out_tlast(out_tlast),
        .out_tvalid(out_tvalid), .out_tready(out_tready),
        .awaddr(awaddr), .awvalid(awvalid), .awready(awready),
        .wdata(wdata), .wstrb(4'hF), .wvalid(wvalid), .wready(wready),
        .bresp(bresp), .bvalid(bvalid), .bready(bready),
        .araddr(araddr), .arvalid(arvalid), .arready(arready),
        .rdata(rdata), .rresp(rresp), .rvalid(rvalid), .rready(rready)
    );

    always #5 aclk = ~aclk;

    // Everything is looked at and set at falling edges. The core's wires come from registers: what
    // they are then is what the next rising edge sees.
    reg aw_taken, w_taken;

    task write(input [5:0] address, input [31:0] word);
        begin
            awaddr = address;
            wdata = word;
            awvalid = 1;
            wvalid = 1;
            bready = 1;
            while (awvalid || wvalid) begin
                aw_taken = awready;
                w_taken = wready;
                @(negedge aclk);
                if (aw_taken) awvalid = 0;
                if (w_taken) wvalid = 0;
            end
            while (!bvalid) @(negedge aclk);
            if (bresp != 0) begin
                errors = errors + 1;
                $$display("register %h does not take %h", address, word);
            end
            @(negedge aclk);
            bready = 0;
        end
    endtask

    task read(input [5:0] address, output [31:0] word);
        begin
            araddr = address;
            arvalid = 1;
            rready = 1;
            while (!arready) @(negedge aclk);
            @(negedge aclk);
            arvalid = 0;
            while (!rvalid) @(negedge aclk);
            word = rdata;
            if (rresp != 0) begin
                errors = errors + 1;
                $$display("register %h does not answer", address);
            end
            @(negedge aclk);
            rready = 0;
        end
    endtask

    integer n;
    reg [31:0] low, high;

    initial begin
        $$readmemh("antevolt_ip_writes.hex", writes);
        $$readmemh("antevolt_ip_x.hex", xs);
        $$readmemh("antevolt_ip_y.hex", ys);
        $$readmemh("antevolt_ip_out.hex", outs);
        $$readmemh("antevolt_ip_reads.hex", reads);
        cycle = 0; errors = 0; x_at = 0; y_at = 0; out_at = 0; seed = 1; run = 0;
        aclk = 0; aresetn = 0;
        x_tvalid = 0; y_tvalid = 0; out_tready = 0;
        x_taken = 0; y_taken = 0; out_taken = 0;
        awvalid = 0; wvalid = 0; bready = 0; arvalid = 0; rready = 0;
        awaddr = 0; araddr = 0; wdata = 0;
        repeat (4) @(negedge aclk);
        aresetn = 1;
        repeat (2) @(negedge aclk);
        for (n = 0; n < WRITES; n = n + 1) write(writes[n][37:32], writes[n][31:0]);
        run = 1;
        while (out_at < OUT || busy) @(negedge aclk);
        for (n = 0; n < READS; n = n + 1) begin
            write(6'h$ADDRESS, reads[n][67:36]);
            read(6'h$DATA, low);
            read(6'h$DATA_HIGH, high);
            if ({high[3:0], low} != reads[n][35:0]) begin
                errors = errors + 1;
                if (errors < 10)
                    $$display("word %h is %h, not %h", reads[n][67:36], {high[3:0], low},
                             reads[n][35:0]);
            end
        end
        if (errors == 0) $$display("PASS: $STEPS steps, %0d outputs, %0d words", OUT, READS);
        else $$display("FAIL: %0d differences", errors);
        $$finish;
    end

    // Streams with pauses. A word that was offered stays until it is taken.
    always @(negedge aclk) begin
        cycle = cycle + 1;
        if (cycle == LIMIT) begin
            $$display("FAIL: after %0d cycles %0d of %0d outputs had come", cycle, out_at, OUT);
            $$finish;
        end
        if (x_taken) x_at = x_at + 1;
        if (y_taken) y_at = y_at + 1;
        if (out_taken) out_at = out_at + 1;
        if (x_taken || !x_tvalid) x_tvalid = run && x_at < X && ($$random(seed) & 3) != 0;
        if (y_taken || !y_tvalid) y_tvalid = run && y_at < Y && ($$random(seed) & 3) != 0;
        out_tready = ($$random(seed) & 1) != 0;
        x_taken = x_tvalid && x_tready;
        y_taken = y_tvalid && y_tready;
        out_taken = out_tvalid && out_tready;
        if (out_taken && (out_at >= OUT || {out_tuser, out_tdata} != outs[out_at])) begin
            errors = errors + 1;
            if (errors < 10)
                $$display("output %0d is %h, which it should not be", out_at,
                         {out_tuser, out_tdata});
        end
    end

endmodule
