#include "warpgroup_products.h"

#include <fmt/format.h>

#include <vector>

namespace sagejit {
namespace {

// One product D += A B of 64 rows (PTX ISA, wgmma.mma_async).
struct Product {
    std::string_view name, comment;
    int columns;               // n
    int first;                 // register of d
    int registers;             // of d in all
    int accumulate;            // 0: D = A B
    std::string_view type;     // of an element of D
    std::string_view shape_k;  // "k32"
    std::string_view types;    // "s32.s8.s8"
    std::string_view tail;     // immediates behind scale-d
    int kind;                  // WgmmaOperation::kind
    bool a_in_registers;
    bool b_mn_major;
};

std::string signature(const Product& product) {
    return fmt::format("void {}({} (&d)[{}], {}, u64 b)", product.name, product.type,
                       product.registers, product.a_in_registers ? "const u32 (&a)[4]" : "u64 a");
}

// "%0, %1, ..., broken into lines" from `first` on.
std::string operands(int first, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
        if (i > 0) text += i % 16 == 0 ? ", \"\n        \"" : ", ";
        text += fmt::format("%{}", first + i);
    }
    return text;
}

std::string device_text(const Product& product) {
    const int registers = product.columns / 2;
    const char kind = product.type == "f32" ? 'f' : 'r';
    std::string outputs;
    for (int i = 0; i < registers; ++i) {
        if (i > 0) outputs += i % 8 == 0 ? ",\n          " : ", ";
        outputs += fmt::format("\"+{}\"(d[{}])", kind, product.first + i);
    }
    const int a_count = product.a_in_registers ? 4 : 1;
    const std::string a_operand = product.a_in_registers
                                      ? fmt::format("{{{}}}", operands(registers, 4))
                                      : fmt::format("%{}", registers);
    const std::string a_input =
        product.a_in_registers ? "\"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3])" : "\"l\"(a)";
    return fmt::format(
        "{}\n__device__ __forceinline__ {} {{\n"
        "    asm volatile(\n"
        "        \"wgmma.mma_async.sync.aligned.m64n{}{}.{} {{\"\n"
        "        \"{}\"\n"
        "        \"}}, {}, %{}, {}{};\"\n"
        "        : {}\n"
        "        : {}, \"l\"(b));\n"
        "}}\n\n",
        product.comment, signature(product), product.columns, product.shape_k, product.types,
        operands(0, registers), a_operand, registers + a_count, product.accumulate, product.tail,
        outputs, a_input);
}

std::string host_text(const Product& product) {
    return fmt::format(
        "{}\ninline {} {{\n"
        "    host_api->wgmma({{{}, {}, {}, {}, {}, b, {}, reinterpret_cast<u32*>(d{})}});\n"
        "}}\n\n",
        product.comment, signature(product), product.kind, product.columns, product.accumulate,
        product.b_mn_major ? 1 : 0, product.a_in_registers ? "0" : "a",
        product.a_in_registers ? "a" : "nullptr",
        product.first > 0 ? fmt::format(" + {}", product.first) : "");
}

}  // namespace

std::string warpgroup_products(const Plan& plan, Column column) {
    if (plan.target.family != Family::kWgmma) return {};
    const bool bf16 = plan.spec.pv_type == PvType::kBf16;
    const int scores = plan.tile_k / 2, outputs = plan.output_columns / 2;
    std::vector<Product> products = {
        {.name = "wgmma_qk",
         .comment = "// D += A B, int8 by int8 to int32; both operands from shared memory.",
         .columns = plan.tile_k,
         .first = 0,
         .registers = scores,
         .accumulate = 1,
         .type = "i32",
         .shape_k = "k32",
         .types = "s32.s8.s8",
         .tail = "",
         .kind = 0,
         .a_in_registers = false,
         .b_mn_major = false},
        {.name = "wgmma_pv",
         .comment = "// D += A B, 16-bit floats to fp32; A from registers, B MN-major.",
         .columns = plan.output_columns,
         .first = 0,
         .registers = outputs,
         .accumulate = 1,
         .type = "f32",
         .shape_k = "k16",
         .types = bf16 ? "f32.bf16.bf16" : "f32.f16.f16",
         .tail = ", 1, 1, 1",
         .kind = bf16 ? 2 : 1,
         .a_in_registers = true,
         .b_mn_major = true},
    };
    if (plan.v_path == VPath::kFp8) {
        constexpr int kSumColumns = 8;
        Product& values = products.back();
        values.comment = "// D += A B, e4m3 to fp32; A from registers, B K-major.";
        values.columns = plan.spec.head_dim_v;
        values.shape_k = "k32";
        values.types = "f32.e4m3.e4m3";
        values.tail = ", 1, 1";
        values.kind = 3;
        values.b_mn_major = false;
        Product sums = values;
        sums.name = "wgmma_sums";
        sums.comment = "// The same of eight columns, whose registers are the last of d.";
        sums.columns = kSumColumns;
        sums.first = plan.spec.head_dim_v / 2;
        Product first = sums;
        first.name = "wgmma_sums_first";
        first.comment = "// The same, D = A B.";
        first.accumulate = 0;
        products.push_back(sums);
        products.push_back(first);
    }
    std::string text = "\n";
    for (const Product& product : products) {
        text += column == Column::kDevice ? device_text(product) : host_text(product);
    }
    return text;
}

}  // namespace sagejit
