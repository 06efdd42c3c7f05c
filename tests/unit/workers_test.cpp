// Work in processes of its own: all of it is done, whatever becomes of a process.
#include "bundle/workers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "bundle/build_answer.h"

using namespace sagejit;

namespace {

// The results by job, after each came exactly once.
std::vector<WorkerResult> run_all(size_t count, size_t processes, const WorkerTask& task) {
    std::vector<WorkerResult> results(count);
    std::set<size_t> seen;
    run_workers(count, processes, task, [&](const WorkerResult& result) {
        CHECK(seen.insert(result.job).second);
        results.at(result.job) = result;
        return true;
    });
    CHECK(seen.size() == count);
    return results;
}

bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0; }

}  // namespace

TEST_CASE("Workers do every job once, in as many processes as they may") {
    const auto task = [](size_t job) {
        usleep(20'000);  // long enough for the others to get some
        return std::to_string(job * job) + " " + std::to_string(getpid());
    };
    for (const size_t processes : {1, 3, 100}) {
        std::set<std::string> pids;
        const std::vector<WorkerResult> results = run_all(7, processes, task);
        for (size_t job = 0; job < results.size(); ++job) {
            const std::string& answer = results[job].answer;
            CHECK_FALSE(results[job].crashed);
            CHECK(answer.substr(0, answer.find(' ')) == std::to_string(job * job));
            pids.insert(answer.substr(answer.find(' ')));
        }
        CHECK(pids.count(" " + std::to_string(getpid())) == 0);
        CHECK(pids.size() == std::min<size_t>(processes, 7));
    }
    CHECK_FALSE(has_children());
}

TEST_CASE("Answers may be empty, large and binary") {
    const std::vector<WorkerResult> results = run_all(3, 2, [](size_t job) {
        return job == 0 ? std::string() : std::string(job * 5'000'000, '\0');
    });
    CHECK(results[0].answer.empty());
    CHECK(results[1].answer.size() == 5'000'000);
    CHECK(results[2].answer == std::string(10'000'000, '\0'));
}

TEST_CASE("A worker that dies takes its job with it and nothing else") {
    const std::vector<WorkerResult> results = run_all(6, 2, [](size_t job) -> std::string {
        if (job == 1) raise(SIGKILL);
        if (job == 2) _exit(3);
        return "done";
    });
    for (size_t job = 0; job < results.size(); ++job) {
        CAPTURE(job);
        CHECK(results[job].crashed == (job == 1 || job == 2));
        if (!results[job].crashed) CHECK(results[job].answer == "done");
    }
    CHECK(results[1].answer.find("signal 9") != std::string::npos);
    CHECK(results[2].answer.find("status 3") != std::string::npos);
    CHECK_FALSE(has_children());
}

TEST_CASE("Workers are ended when there is no use in going on") {
    size_t reports = 0;
    run_workers(
        100, 2,
        [](size_t job) {
            if (job > 0) sleep(1000);
            return std::string();
        },
        [&](const WorkerResult&) {
            ++reports;
            return false;
        });
    CHECK(reports == 1);
    CHECK_FALSE(has_children());
}

TEST_CASE("No work needs no workers") {
    CHECK(run_all(0, 4, [](size_t) { return std::string(); }).empty());
}

TEST_CASE("A worker's answer comes back as it was, cubin and error") {
    BuildAnswer answer;
    answer.cubin.bytes = {0, '\n', 255, '{', 0};
    answer.cubin.entries = {{"attention", 168, 16, 4, 8, 1024}};
    answer.cubin.warnings = "a warning\n";
    answer.from_cache = true;
    answer.compile_ms = 12.5;
    answer.nvrtc = "13.0.88";
    answer.options = {"--std=c++17"};
    answer.libraries = {"/lib/libnvrtc.so.13"};
    const BuildAnswer back = decode_answer(encode_answer(answer));
    CHECK_FALSE(back.error);
    CHECK(back.cubin.bytes == answer.cubin.bytes);
    CHECK(back.cubin.entries == answer.cubin.entries);
    CHECK(back.cubin.warnings == answer.cubin.warnings);
    CHECK(back.from_cache);
    CHECK(back.compile_ms == 12.5);
    CHECK(back.nvrtc == answer.nvrtc);
    CHECK(back.options == answer.options);
    CHECK(back.libraries == answer.libraries);

    answer.error = Error(ErrorCode::kCompileFailed, "log\nof \xff", "where", "fix");
    const BuildAnswer failed = decode_answer(encode_answer(answer));
    REQUIRE(failed.error);
    CHECK(failed.error->code() == ErrorCode::kCompileFailed);
    CHECK(failed.error->where() == "where");
    CHECK(failed.error->fix() == "fix");
    CHECK(failed.error->message().find("log\nof ") == 0);

    for (const char* bad : {"", "{", "{}", "[]\n", "{\"error\":1}\n"}) {
        const BuildAnswer none = decode_answer(bad);
        REQUIRE(none.error);
        CHECK(none.error->code() == ErrorCode::kInternal);
    }
}
