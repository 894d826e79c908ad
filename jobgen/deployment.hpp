// SPDX-License-Identifier: BSD-3-Clause
// deployments.yaml: machines, collections and deployments, read strictly. Every wrong value is an
// Error (config) with file, line, the value, what is allowed and the nearest known word.
#pragma once

#include "jobgen/raw_yaml.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::jobgen {

enum class Scheduler { shell, slurm, pbs, cobalt };
std::string to_string(Scheduler scheduler);

/// One queue (Slurm: partition or QOS) and its limits.
struct Queue {
    std::string name;
    bool by_gpu = false;      ///< what is counted: GPUs instead of nodes
    int min_count = 1;        ///< nodes
    int max_count = 0;        ///< nodes; 0 = no limit known
    std::vector<int> counts;  ///< the only GPU numbers allowed
    long min_walltime_s = 0;
    long max_walltime_s = 0;          ///< 0 = no limit known
    int array_limit = 0;              ///< array elements queued or running; 0 = no limit known
    int jobs_limit = 0;               ///< jobs queued or running; 0 = no limit known
    int cpus_per_gpu = 0;             ///< fixed by the site; 0 = free
    bool direct = true;               ///< false: only reached by routing
    std::vector<std::string> routes;  ///< the queues to which it hands its jobs
    std::string closed;               ///< why it takes no jobs, "" if it does
    std::string note;
    Place place;
};

/// What a job needs set before it starts.
struct Environment {
    std::vector<std::string> module_paths;  ///< module use
    std::vector<std::string> modules;       ///< module load
    std::vector<std::pair<std::string, std::string>> variables;
    std::vector<std::string> setup;  ///< lines of bash, taken as they are
};

struct Machine {
    std::string name;
    std::string description;
    Scheduler scheduler = Scheduler::shell;
    std::string launcher = "none";  ///< none, mpiexec, srun, mpirun, aprun
    bool launch_always = false;     ///< the script does not run on a compute node
    bool retired = false;
    int nodes = 1;
    int gpus_per_node = -1;  ///< -1: counted when the job starts
    int cores_per_node = 0;
    int threads_per_node = 0;
    int memory_gib = 0;
    std::vector<std::string> gpu_cpus;       ///< CPUs near GPU i, as for taskset -c
    std::string node_local;                  ///< directory on the node, "" = none
    std::vector<std::string> filesystems;    ///< names that a job may ask for
    std::string select;                      ///< PBS: resources of each chunk
    std::string place_policy;                ///< PBS: -l place=
    std::string queue_option = "partition";  ///< Slurm: partition or qos
    std::string constraint;                  ///< Slurm
    std::vector<std::string> attributes;     ///< Cobalt: name=value
    Environment environment;
    std::map<std::string, Queue> queues;
    Place place;
};

struct Collection {
    std::string key;
    std::string id;
    std::string path;  ///< what "/" of the collection is on disk; begins and ends with '/'
    std::string name;
    Place place;
};

struct Compute {
    std::string via = "here";  ///< here | globus-compute | job
    std::string endpoint;
    std::string login_endpoint;
    std::string function_id;                               ///< of our registered function
    std::map<std::string, std::string> earlier_functions;  ///< kept as facts
};

struct Deployment {
    std::string name;
    std::string description;
    std::string machine;
    std::string account;
    std::string queue;
    long walltime_s = 3600;
    int nodes = 1;
    int gpus = 0;  ///< in a queue that counts GPUs
    std::vector<std::string> filesystems;
    std::string source, staging, publish;  ///< keys of collections
    std::string earlier_source, earlier_staging;
    std::string staging_dir;
    std::string publish_base;
    std::string search_index;
    std::string https_host;
    std::string group;                ///< that sees everything
    std::vector<std::string> groups;  ///< further ones
    std::string organization;
    std::string facility;
    bool service_account = false;
    std::string report = "auto";             ///< auto | required | off
    bool stage_to_node = false;              ///< input to node-local disk first
    bool requeue = true;                     ///< may be started again by the scheduler
    std::string programs;                    ///< directory of xpcs-corr and xpcs-portal, "" = PATH
    std::string flow_id;                     ///< of the deployed Globus flow
    std::string dataset_name = "first-dot";  ///< first-dot | stem: how a raw file names its run
    Environment environment;                 ///< on top of the machine's
    Compute compute;
    std::map<std::string, Place> where;  ///< of each field
    Place place;

    /// Place of a field, or of the deployment.
    const Place& at(const std::string& field) const;
};

struct PathRule {
    std::string below;
    std::string deployment;
    Place place;
};

struct Site {
    std::string version;
    std::string default_deployment;
    std::vector<std::string> cycle_prefixes;
    std::vector<PathRule> path_rules;
    std::map<std::string, Machine> machines;
    std::map<std::string, Collection> collections;
    std::map<std::string, Deployment> deployments;
    std::vector<std::string> files;

    /// Throws Error (usage) with the nearest known name.
    const Deployment& deployment(const std::string& name) const;
    const Machine& machine_of(const Deployment& deployment) const;
    /// Throws Error (config) when the deployment names none ("source", "staging", "publish").
    const Collection& collection_of(const Deployment& deployment, const std::string& role) const;
};

/// deployments.yaml as it was when the program was built.
const std::string& built_in_deployments();

/// The built-in file, then each of `files`, checked as a whole.
Site load_site(const std::vector<std::string>& files);
/// From texts (name, content); for tests.
Site load_site_texts(const std::vector<std::pair<std::string, std::string>>& texts);

/// {user}, {u}, {home} and {account} replaced. Throws Error (config) on an unknown {word}.
std::string expand(const std::string& text, const Deployment& deployment, const std::string& user);

std::string list_text(const Site& site);
std::string show_text(const Site& site, const std::string& name);

}  // namespace xpcs::jobgen
