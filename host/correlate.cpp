// SPDX-License-Identifier: BSD-3-Clause
#include "host/correlate.hpp"

#include "host/atomic_file.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/multitau_run.hpp"
#include "host/plan.hpp"
#include "host/result_file.hpp"
#include "host/run_setup.hpp"
#include "host/stop.hpp"
#include "host/summary.hpp"
#include "host/text.hpp"
#include "kernels/device.hpp"

#include <fmt/format.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <iostream>
#include <new>
#include <optional>
#include <stdexcept>

namespace xpcs {

namespace {

/// The options by which a result gets its name: --overwrite is about what earlier programs left,
/// not about the results of this one (raw files of the same name in several directories).
RunConfig naming_of(const RunConfig& config,
                    const std::string& raw,
                    const std::string& base,
                    const std::vector<std::string>& done) {
    RunConfig naming = config;
    const std::string path = planned_result_path(config, base);
    if (config.overwrite && std::find(done.begin(), done.end(), path) != done.end()) {
        Log::warning(printable(raw) + ": '" + printable(path) +
                     "' was written just now; it is kept, and this result gets a number");
        naming.overwrite = false;
    }
    return naming;
}

/// One raw file, the `last` of the program or not, after those whose results are `done`: everything
/// that can go wrong without data is found before any is read.
std::string run_one(const RunConfig& config,
                    const std::string& raw,
                    bool last,
                    const std::vector<std::string>& done,
                    Summary& summary) {
    RunSetup setup = prepare_run(config, raw);
    if (config.dry_run) {
        print_plan(setup.plan);
        return "";
    }
    Log::info(setup.headline());
    std::optional<ResultFile> file;
    const RunConfig naming = naming_of(config, raw, setup.base, done);
    if (!config.follow) file.emplace(naming, setup.base, setup.result.metadata.file);
    // Hot pixels that are masked change the q-map.
    if (file && !config.mask_hot) file->write_ahead(setup.result.qmap);
    try {
        run_multitau(setup, file ? &*file : nullptr);
    } catch (const std::overflow_error& error) {
        throw Error(ExitCode::data, raw + ": " + error.what());  // counts beyond a kernel's limits
    }
    if (last) setup.device->close();
    RunResult& result = setup.result;
    if (config.follow) {
        finish_setup(setup);
        file.emplace(naming, setup.base, result.metadata.file);
    }
    result.warnings = Log::warnings();

    StageClock clock(result.stage_s);
    oneapi::tbb::task_arena arena(config.threads > 0 ? config.threads
                                                     : oneapi::tbb::task_arena::automatic);
    arena.execute([&] { file->write(result); });
    throw_if_stopped();
    std::string path = file->commit();
    clock.lap("write");
    Log::info(run_report(result));
    summary.done(result, path);
    return path;
}

struct Failure {
    int code = 0;
    std::string message;
};

/// What went wrong, in the words of main(); never throws.
template <class Work>
Failure attempt(const Work& work) {
    try {
        work();
        return {};
    } catch (const Error& error) {
        return {error.exit_status(), error.what()};
    } catch (const DeviceError& error) {
        return {static_cast<int>(ExitCode::unavailable), error.what()};
    } catch (const std::bad_alloc&) {
        return {static_cast<int>(ExitCode::no_memory),
                "not enough memory; --memory GIB makes the run take less at a time"};
    } catch (const std::exception& error) {
        return {static_cast<int>(ExitCode::internal), error.what()};
    }
}

}  // namespace

int run_correlate(const RunConfig& config) {
    if (!config.summary.empty() && !config.dry_run) {
        require_no_input(config.summary, config.raw);
        require_no_input(config.summary, {config.qmap, config.metadata, config.config_file});
        check_can_write(config.summary);
    }
    Summary summary(config);
    int first_failure = 0;
    std::vector<std::string> done;
    // A series of files is one run under the name of its first file.
    const std::vector<std::string> runs =
        config.series ? std::vector{config.raw.front()} : config.raw;
    for (const std::string& raw : runs) {
        Log::clear_warnings();
        std::string path;
        const Failure failure =
            attempt([&] { path = run_one(config, raw, &raw == &runs.back(), done, summary); });
        if (failure.code == 0) {
            // The path of a result is the last thing said about it, on standard output.
            if (!path.empty()) std::cout << path << std::endl;
            done.push_back(path);
            continue;
        }
        summary.failed(raw, failure.code, failure.message, Log::warnings());
        Log::error(failure.message);
        if (first_failure == 0) first_failure = failure.code;
        if (failure.code == static_cast<int>(ExitCode::interrupted)) {
            first_failure = failure.code;
            break;
        }
    }
    if (!config.dry_run) summary.write();
    if (!std::cout) {
        Log::error("standard output cannot be written");
        if (first_failure == 0) first_failure = static_cast<int>(ExitCode::io);
    }
    return first_failure;
}

}  // namespace xpcs
