// SPDX-License-Identifier: BSD-3-Clause
// Flow definitions. Every action says explicitly that its failure is an exception, so a failure
// ends the run as failed with the provider's reason; Catch stands where something must be cleaned
// up.
#include "jobgen/flow/flow.hpp"

namespace xpcs::jobgen::flow {

namespace {

constexpr int week_s = 604'800;  // a week: time in the queue counts
constexpr int hour_s = 3'600;

const char* const transfer_url = "https://transfer.actions.globus.org/transfer/";
const char* const permission_url = "https://transfer.actions.globus.org/manage_permission";
const char* const compute_url = "https://compute.actions.globus.org/v3";
const char* const ingest_url = "https://actions.globus.org/search/ingest";

class States {
  public:
    Json& action(const std::string& name, const char* url, int wait_s, const std::string& next) {
        Json state{{"Type", "Action"},
                   {"ActionUrl", url},
                   {"ExceptionOnActionFailure", true},
                   {"WaitTime", wait_s},
                   {"ResultPath", "$." + name}};
        lead_on(state, next);
        return states_[name] = state;
    }
    Json& transfer(const std::string& name, const std::string& from, const std::string& next) {
        Json& state = action(name, transfer_url, week_s, next);
        state["InputPath"] = from;
        return state;
    }
    Json& compute(const std::string& name,
                  const std::string& endpoint,
                  const std::string& tasks,
                  int wait_s,
                  const std::string& next) {
        Json& state = action(name, compute_url, wait_s, next);
        state["Parameters"] = {{"endpoint_id.$", "$.input.compute." + endpoint},
                               {"tasks.$", "$.input." + tasks}};
        if (endpoint == "endpoint_id") {
            state["Parameters"]["user_endpoint_config.$"] = "$.input.compute.user_endpoint_config";
        }
        return state;
    }
    /// To `yes` when `variable` is present and true, else to `no`.
    void choice(const std::string& name,
                const std::string& variable,
                const std::string& yes,
                const std::string& no) {
        states_[name] = {
            {"Type", "Choice"},
            {"Choices",
             Json::array({{{"And",
                            Json::array({{{"Variable", variable}, {"IsPresent", true}},
                                         {{"Variable", variable}, {"BooleanEquals", true}}})},
                           {"Next", yes}}})},
            {"Default", no}};
    }
    void present(const std::string& name,
                 const std::string& variable,
                 const std::string& yes,
                 const std::string& no) {
        states_[name] = {
            {"Type", "Choice"},
            {"Choices",
             Json::array({{{"Variable", variable}, {"IsPresent", true}, {"Next", yes}}})},
            {"Default", no}};
    }
    void fail(const std::string& name, const std::string& error, const std::string& cause) {
        states_[name] = {{"Type", "Fail"}, {"Error", error}, {"Cause", cause}};
    }
    Json& operator[](const std::string& name) { return states_[name]; }
    Json finished(const std::string& start, const std::string& comment) const {
        return {{"Comment", comment}, {"StartAt", start}, {"States", states_}};
    }

  private:
    static void lead_on(Json& state, const std::string& next) {
        if (next.empty()) {
            state["End"] = true;
        } else {
            state["Next"] = next;
        }
    }
    Json states_ = Json::object();
};

Json catch_all(const std::string& next) {
    return Json::array(
        {{{"ErrorEquals", {"States.ALL"}}, {"Next", next}, {"ResultPath", "$.failure"}}});
}

Json when(const std::string& variable, const std::string& word, const std::string& next) {
    return {{"And",
             Json::array({{{"Variable", variable}, {"IsPresent", true}},
                          {{"Variable", variable}, {"StringEquals", word}}})},
            {"Next", next}};
}

/// Submit the job script, ask for it until it is over; a run that is given up cancels its job.
void add_job(States& s, const std::string& next) {
    s.compute("SubmitJob", "login_endpoint_id", "submit", hour_s, "JobPause");
    s["JobPause"] = {{"Type", "Wait"}, {"Seconds", 60}, {"Next", "AskJob"}};
    s.compute("AskJob", "login_endpoint_id", "ask", hour_s, "JobOver")["Catch"] =
        catch_all("CancelJob");
    const std::string phase = "$.AskJob.details.results[0].output.phase";
    s["JobOver"] = {{"Type", "Choice"},
                    {"Choices",
                     Json::array({when(phase, "done", next),
                                  when(phase, "queued", "JobPause"),
                                  when(phase, "held", "JobPause"),
                                  when(phase, "running", "JobPause")})},
                    {"Default", "JobFailed"}};
    s.compute("CancelJob", "login_endpoint_id", "cancel", hour_s, "JobLost")["Catch"] =
        catch_all("JobLost");
    s.fail("JobLost",
           "JobLost",
           "The scheduler could not be asked for the job, so it was cancelled; the answer stands "
           "in failure and CancelJob.");
    s.fail("JobFailed",
           "JobFailed",
           "The scheduled job failed or was cancelled; its reason stands in AskJob.");
}

/// One access rule per group. A rule that exists already is what was wanted; anything else ends the
/// run.
std::string add_permissions(States& s, const std::string& next) {
    for (int i = permission_slots - 1; i >= 0; --i) {
        const std::string n = std::to_string(i);
        const std::string after =
            i + 1 < permission_slots ? "PermissionWanted" + std::to_string(i + 1) : next;
        const std::string entry = "$.input.publish.permissions[" + n + "]";
        s.present("PermissionWanted" + n, entry, "SetPermission" + n, after);
        Json& set = s.action("SetPermission" + n, permission_url, hour_s, "PermissionSet" + n);
        set["InputPath"] = entry;
        set["ExceptionOnActionFailure"] = false;  // the next state looks at what happened
        const std::string result = "$.SetPermission" + n;
        const Json exists{
            {"And",
             Json::array(
                 {{{"Variable", result + ".details.code"}, {"IsPresent", true}},
                  {{"Variable", result + ".details.code"}, {"StringMatches", "*Exists*"}}})},
            {"Next", after}};
        s["PermissionSet" + n] = {
            {"Type", "Choice"},
            {"Choices", Json::array({when(result + ".status", "SUCCEEDED", after), exists})},
            {"Default", "PermissionFailed"}};
    }
    s.fail("PermissionFailed",
           "PermissionFailed",
           "The groups could not be given access to the published data set; nothing was "
           "published. The reason stands in SetPermission.");
    return "PermissionWanted0";
}

void add_publish(States& s) {
    const std::string first = add_permissions(s, "PublishTransfer");
    s.choice("PublishWanted", "$.input.publish.enabled", first, "Done");
    const std::string gathered = "$.GatherMetadata.details.results[0].output";
    s.transfer("PublishTransfer", gathered + ".transfer", "PublishIngest");
    s.action("PublishIngest", ingest_url, hour_s, "Done")["InputPath"] = gathered + ".search";
}

Json online(const std::string& via) {
    States s;
    const bool job = via == "job";
    s.transfer("SourceTransfer", "$.input.source_transfer", job ? "SubmitJob" : "Correlate");
    if (job) {
        add_job(s, "Verify");
    } else {
        s.compute("Correlate", "endpoint_id", "correlate", week_s, "Verify");
    }
    s.compute("Verify", "login_endpoint_id", "verify", hour_s, "Report");
    s.compute("Report", "login_endpoint_id", "report", week_s, "GatherMetadata");
    s.compute("GatherMetadata", "login_endpoint_id", "gather", hour_s, "TransferBackWanted");
    s.choice("TransferBackWanted", "$.input.transfer_back", "ResultTransfer", "PublishWanted");
    s.transfer("ResultTransfer", "$.input.result_transfer", "PublishWanted");
    add_publish(s);
    s["Done"] = {{"Type", "Pass"}, {"End", true}};
    return s.finished("SourceTransfer",
                      "XPCS: transfer in, correlate, verify, report, gather metadata, transfer "
                      "back, publish");
}

Json batch(const std::string& via) {
    States s;
    const bool job = via == "job";
    s.transfer("SourceTransfer", "$.input.source_transfer", "ForgetSources");
    // The list of transfers is the largest part of the state and is not needed again.
    s["ForgetSources"] = {{"Type", "ExpressionEval"},
                          {"Parameters", {{"forgotten", true}}},
                          {"ResultPath", "$.input.source_transfer"},
                          {"Next", job ? "SubmitJob" : "Correlate"}};
    const std::string next = "TransferBackWanted";
    if (job) {
        add_job(s, next);
        // Data sets that failed are told by Summary, after the good ones went back.
        s["JobOver"]["Default"] = next;
        s["JobOver"]["Choices"].erase(0);
    } else {
        s.compute("Correlate", "endpoint_id", "correlate", week_s, next);
    }
    s.choice(next, "$.input.transfer_back", "ResultTransfer", "Summary");
    s.transfer("ResultTransfer", "$.input.result_transfer", "Summary");
    s.compute("Summary", "login_endpoint_id", "summary", hour_s, "");
    Json whole = s.finished("SourceTransfer",
                            "XPCS batch: transfer in, correlate every data set, transfer back, "
                            "fail with the reasons if any data set failed");
    if (job) {
        whole["States"].erase("JobFailed");
    }
    return whole;
}

}  // namespace

Json definition(const std::string& kind, const std::string& via) {
    return kind == "batch" ? batch(via) : online(via);
}

}  // namespace xpcs::jobgen::flow
