#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "../unit/error_of.h"
#include "analysis/cubin_file.h"
#include "analysis/fragments.h"
#include "analysis/occupancy.h"
#include "analysis/sass.h"

namespace sagejit::analysis {
namespace {

Plan plan_of(const char* config, const char* target) {
    return make_plan(parse_spec(config), find_target(target));
}

// An instruction of 16 bytes.
void append(std::vector<uint8_t>& code, uint64_t low, uint64_t high) {
    for (const uint64_t word : {low, high}) {
        for (int i = 0; i < 8; ++i) code.push_back(static_cast<uint8_t>(word >> 8 * i));
    }
}

}  // namespace

TEST_CASE("sass: opcodes, and branches forward and back") {
    std::vector<uint8_t> code;
    append(code, 0x000000ff0a017237, 0);  // IMMA
    append(code, 0x000000ff0a01723c, 0);  // HMMA
    append(code, 0x0000000000007308, 0);  // MUFU
    // BRA to 0: -64 bytes, -16 words, in 48 bits from bit 34 on.
    const uint64_t back = uint64_t(-16) & 0xffffffffffff;
    append(code, 0x947 | back << 34, back >> 30);
    append(code, 0x1ff, 0);                      // no opcode of the table
    append(code, 0x947 | uint64_t{4} << 34, 0);  // BRA over the next one
    code.push_back(0);                           // trailing byte
    const std::vector<Instruction> list = decode_instructions(code, 89);
    REQUIRE(list.size() == 6);
    CHECK(list[0].mnemonic == "IMMA");
    CHECK(list[1].mnemonic == "HMMA");
    CHECK(list[2].mnemonic == "MUFU");
    CHECK(list[3].target == 0u);
    CHECK(list[4].mnemonic == "0x1ff");
    CHECK(list[5].target == 0x50u + 16 + 16);
    const auto loop = main_loop(list);
    REQUIRE(loop);
    CHECK(loop->first == 0);
    CHECK(loop->end == 4);
    const InstructionMix mix = count(list, {0, list.size()});
    CHECK(mix.total == 6);
    CHECK(mix.of(InstructionKind::kTensor) == 2);
    CHECK(mix.of(InstructionKind::kSpecial) == 1);
    CHECK(mix.of(InstructionKind::kUnknown) == 1);
    CHECK(mix.by_mnemonic.front() == std::pair<std::string, int>{"BRA", 2});
}

TEST_CASE("sass: from sm_90 on, the low bits of a branch are elsewhere") {
    std::vector<uint8_t> code;
    // As ptxas of CUDA 13.0 wrote it at 0x1150 of a kernel for sm_120; it goes to 0x46b0.
    append(code, 0x0000003508547547, 0x0fec000b80000000);
    const std::vector<Instruction> list = decode_instructions(code, 120);
    CHECK(*list.front().target - list.front().address == 0x46b0 - 0x1150);
}

TEST_CASE("sass: the main loop is the shortest with the most tensor instructions") {
    const auto instruction = [](uint64_t address, const char* name,
                                std::optional<uint64_t> target) {
        return Instruction{address, name, target};
    };
    std::vector<Instruction> list = {
        instruction(0x00, "MOV", {}),   instruction(0x10, "HMMA.16816.F32", {}),
        instruction(0x20, "BRA", 0x10), instruction(0x30, "HMMA", {}),
        instruction(0x40, "HMMA", {}),  instruction(0x50, "BRA.U", 0x30),
        instruction(0x60, "FADD", {}),  instruction(0x70, "BRA", 0x30),
        instruction(0x80, "BRA", 0x80)};
    auto loop = main_loop(list);
    REQUIRE(loop);
    CHECK(list[loop->first].address == 0x30);
    CHECK(loop->size() == 3);
    // A loop around it that holds more besides is not the main loop.
    const std::vector<Instruction> nested = {
        instruction(0x00, "HMMA", {}), instruction(0x10, "HMMA", {}),
        instruction(0x20, "HMMA", {}), instruction(0x30, "BRA", 0x10),
        instruction(0x40, "HMMA", {}), instruction(0x50, "BRA", 0x00)};
    loop = main_loop(nested);
    REQUIRE(loop);
    CHECK(nested[loop->first].address == 0x10);
    CHECK(loop->size() == 3);
    list.resize(2);
    CHECK(!main_loop(list));
    CHECK(!main_loop({}));
}

TEST_CASE("sass: what the disassemblers print") {
    const char* nvdisasm =
        "\t.target\tsm_89\n"
        "\t.section\t.text.attention,\"ax\",@progbits\n"
        "attention:\n"
        ".L_x_1:\n"
        "        /*0000*/                   IMMA.16832.S8.S8 R0, R1.ROW, R2.COL, R0 ;\n"
        "        /*0010*/              @!P0 BRA `(.L_x_1) ;\n"
        ".L_x_2:\n"
        "        /*0020*/                   BRA `(.L_x_2);\n"
        "\t.section\t.nv.constant0,\"a\"\n"
        "        /*0000*/ \t.byte\t0x00 ;\n"
        "\t.section\t.text.quantize,\"ax\",@progbits\n"
        "        /*0000*/                   EXIT ;\n";
    const std::vector<DisassembledKernel> kernels = parse_disassembly(nvdisasm);
    REQUIRE(kernels.size() == 2);
    CHECK(kernels[0].symbol == "attention");
    REQUIRE(kernels[0].instructions.size() == 3);
    CHECK(kernels[0].instructions[0].mnemonic == "IMMA.16832.S8.S8");
    CHECK(kernels[0].instructions[1].mnemonic == "BRA");
    CHECK(kernels[0].instructions[1].target == 0u);
    CHECK(kernels[0].instructions[2].target == 0x20u);
    CHECK(kernels[1].symbol == "quantize");

    const char* cuobjdump =
        "\t\tFunction : attention\n"
        "\t.headerflags\t@\"EF_CUDA_SM90\"\n"
        "        /*0000*/                   HMMA.16816.F32 R4, R8, R2, R4 ;   "
        "/* 0x000000020804723c */\n"
        "                                                                     "
        "/* 0x000fe20000001804 */\n"
        "        /*0010*/               @P1 BRA 0x0 ;   /* 0xffffffe000001947 */\n";
    const std::vector<DisassembledKernel> dumped = parse_disassembly(cuobjdump);
    REQUIRE(dumped.size() == 1);
    REQUIRE(dumped[0].instructions.size() == 2);
    CHECK(main_loop(dumped[0].instructions)->size() == 2);
    CHECK(parse_disassembly("no machine code\n/*zz*/ ;\n").empty());
}

TEST_CASE("cubin file: anything but a cubin is refused") {
    const std::vector<uint8_t> nothing;
    CHECK(error_of([&] { read_cubin(nothing, "x"); }).code() == ErrorCode::kInvalidInput);
    std::vector<uint8_t> host(4096, 0);
    std::memcpy(host.data(),
                "\x7f"
                "ELF\2\1\1",
                7);
    CHECK(error_of([&] { read_cubin(host, "x"); }).where() == "x");
}

TEST_CASE("occupancy: by hand") {
    const Target& target = find_target("sm_89");
    // 100 KiB an SM, 1 KiB kept of each CTA's: two of 48 KiB fit.
    Occupancy occupied = occupancy(target, 128, 64, 48 * 1024);
    CHECK(occupied.ctas == 2);
    CHECK(occupied.warps == 8);
    CHECK(occupied.limit == OccupancyLimit::kShared);
    CHECK(occupied.share() == Approx(8.0 / 48));
    // 65536 / (255 -> 256 registers * 128 threads) = 2.
    occupied = occupancy(target, 128, 255, 1024);
    CHECK(occupied.ctas == 2);
    CHECK(occupied.limit == OccupancyLimit::kRegisters);
    CHECK(occupancy(target, 768, 24, 0).limit == OccupancyLimit::kThreads);
    CHECK(occupancy(target, 32, 16, 0).ctas == 24);
    CHECK(occupancy(target, 128, 64, 200 * 1024).ctas == 0);
}

TEST_CASE("fragments: every score has one place, and one scale a lane with granularity thread") {
    const Plan plan = plan_of(R"({"head_dim": 64})", "sm_89");
    std::set<std::pair<int, int>> places;
    for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < plan.tile_k; ++column) {
            const ScoreCell cell = score_cell(plan, row, column);
            CHECK(cell.lane >= 0);
            CHECK(cell.lane < 32);
            CHECK(cell.q_group == cell.lane / 4);
            CHECK(cell.k_group == cell.lane % 4);
            places.emplace(cell.lane, cell.element);
        }
    }
    CHECK(places.size() == static_cast<size_t>(16 * plan.tile_k));
    CHECK(score_cell(plan, 9, 3).lane == 5);  // PTX ISA: row g + 8, column 2 q + 1
    CHECK(score_cell(plan, 9, 3).element == 3);
}

TEST_CASE("fragments: the swizzle puts one column's chunks of eight rows into eight bank groups") {
    for (const char* config :
         {R"({"head_dim": 64})", R"({"head_dim": 128})", R"({"head_dim": 96})"}) {
        for (const SharedRegion& region : plan_of(config, "sm_80").stage_regions) {
            if (region.rows < 8) continue;
            for (int chunk = 0; chunk < region.row_bytes / 16; ++chunk) {
                std::set<int> groups;
                for (int row = 0; row < 8; ++row) {
                    const int place = physical_chunk(region, row, chunk);
                    groups.insert((row * region.row_bytes / 16 + place) % 8);
                }
                CHECK(groups.size() == 8);
            }
        }
    }
}

}  // namespace sagejit::analysis
