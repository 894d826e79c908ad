// SPDX-License-Identifier: BSD-3-Clause
// Reading: raw trees are merged file by file, then each entry is filled field by field.
#include "jobgen/deployment.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/site_check.hpp"

#include <functional>

namespace xpcs::jobgen {

namespace {

template <class T>
using Fields = std::map<std::string, std::function<void(T&, const Raw&, const std::string&)>>;

std::string one_of(const Raw& raw, const std::string& what, const std::vector<std::string>& words) {
    std::string text = text_of(raw, what);
    for (const auto& word : words) {
        if (word == text) {
            return text;
        }
    }
    refuse(raw.place,
           what + " is '" + printable(text) + "'; allowed: " + joined(words) +
               did_you_mean(text, words));
}

const Raw& need_map(const Raw& raw, const std::string& what) {
    if (raw.kind != Raw::Kind::map) {
        refuse(raw.place, what + " must be a list of `name: value`");
    }
    return raw;
}

template <class T>
void fill(T& entry, const Raw& raw, const Fields<T>& fields, const std::string& what) {
    for (const auto& [key, value] : need_map(raw, what).members) {
        const auto field = fields.find(key);
        if (field == fields.end()) {
            const auto known = names_of(fields);
            refuse(value.place,
                   what + ": key '" + printable(key) + "' is not known" + did_you_mean(key, known) +
                       "; allowed: " + joined(known));
        }
        field->second(entry, value, what + ": " + key);
    }
}

// Shorthands for the tables below.
template <class T>
auto text_field(std::string T::*member) {
    return [member](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = text_of(raw, what);
    };
}
template <class T>
auto word_field(std::string T::*member, std::vector<std::string> words) {
    return [member, words = std::move(words)](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = one_of(raw, what, words);
    };
}
template <class T>
auto bool_field(bool T::*member) {
    return [member](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = bool_of(raw, what);
    };
}
template <class T>
auto int_field(int T::*member, long low, long high) {
    return [=](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = static_cast<int>(integer_of(raw, what, low, high));
    };
}
template <class T>
auto list_field(std::vector<std::string> T::*member) {
    return [member](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = texts_of(raw, what);
    };
}
template <class T>
auto uuid_field(std::string T::*member) {
    return [member](T& entry, const Raw& raw, const std::string& what) {
        entry.*member = uuid_of(raw, what);
    };
}

std::vector<int> int_list(const Raw& raw, const std::string& what, std::size_t exactly) {
    if (raw.kind != Raw::Kind::list || (exactly != 0 && raw.items.size() != exactly)) {
        refuse(raw.place,
               what + " must be a list" +
                   (exactly ? " of " + std::to_string(exactly) + " numbers" : ""));
    }
    std::vector<int> values;
    for (const Raw& item : raw.items) {
        values.push_back(static_cast<int>(integer_of(item, what, 0, 1'000'000)));
    }
    return values;
}

const Fields<Environment>& environment_fields() {
    static const Fields<Environment> fields{
        {"module_paths", list_field(&Environment::module_paths)},
        {"modules", list_field(&Environment::modules)},
        {"setup", list_field(&Environment::setup)},
        {"variables",
         [](Environment& e, const Raw& raw, const std::string& what) {
             e.variables.clear();
             for (const auto& [name, value] : need_map(raw, what).members) {
                 if (!is_variable_name(name)) {
                     refuse(value.place,
                            what + ": '" + printable(name) +
                                "' is no name of a variable; allowed: letters, digits, _");
                 }
                 e.variables.emplace_back(name, text_of(value, what + ": " + name));
             }
         }},
    };
    return fields;
}

const Fields<Queue>& queue_fields() {
    static const Fields<Queue> fields{
        {"unit",
         [](Queue& q, const Raw& raw, const std::string& what) {
             q.by_gpu = one_of(raw, what, {"node", "gpu"}) == "gpu";
         }},
        {"nodes",
         [](Queue& q, const Raw& raw, const std::string& what) {
             const auto range = int_list(raw, what, 2);
             q.min_count = range[0];
             q.max_count = range[1];
             if (q.min_count < 1 || q.max_count < q.min_count) {
                 refuse(raw.place, what + " must be [least, most]");
             }
         }},
        {"counts",
         [](Queue& q, const Raw& raw, const std::string& what) {
             q.counts = int_list(raw, what, 0);
         }},
        {"walltime",
         [](Queue& q, const Raw& raw, const std::string& what) {
             if (raw.kind != Raw::Kind::list || raw.items.size() != 2) {
                 refuse(raw.place, what + " must be [least, most], each \"HH:MM:SS\"");
             }
             q.min_walltime_s = walltime_of(raw.items[0], what);
             q.max_walltime_s = walltime_of(raw.items[1], what);
             if (q.max_walltime_s < q.min_walltime_s) {
                 refuse(raw.place, what + " must be [least, most]");
             }
         }},
        {"array_limit", int_field(&Queue::array_limit, 1, 1'000'000)},
        {"jobs_limit", int_field(&Queue::jobs_limit, 1, 1'000'000)},
        {"cpus_per_gpu", int_field(&Queue::cpus_per_gpu, 1, 100'000)},
        {"direct", bool_field(&Queue::direct)},
        {"routes", list_field(&Queue::routes)},
        {"closed", text_field(&Queue::closed)},
        {"note", text_field(&Queue::note)},
    };
    return fields;
}

void fill_queues(Machine& machine, const Raw& raw, const std::string& what) {
    for (const auto& [name, value] : need_map(raw, what).members) {
        check_word(name, value.place, what + ": queue name");
        Queue queue;
        queue.name = name;
        queue.place = value.place;
        fill(queue, value, queue_fields(), what + " " + name);
        machine.queues[name] = queue;
    }
}

const Fields<Machine>& machine_fields() {
    static const Fields<Machine> fields{
        {"description", text_field(&Machine::description)},
        {"scheduler",
         [](Machine& m, const Raw& raw, const std::string& what) {
             m.scheduler = scheduler_named(one_of(raw, what, {"shell", "slurm", "pbs", "cobalt"}));
         }},
        {"launcher",
         word_field(&Machine::launcher, {"none", "mpiexec", "srun", "mpirun", "aprun"})},
        {"launch_always", bool_field(&Machine::launch_always)},
        {"retired", bool_field(&Machine::retired)},
        {"nodes", int_field(&Machine::nodes, 1, 1'000'000)},
        {"gpus_per_node", int_field(&Machine::gpus_per_node, 0, 1024)},
        {"cores_per_node", int_field(&Machine::cores_per_node, 1, 100'000)},
        {"threads_per_node", int_field(&Machine::threads_per_node, 1, 100'000)},
        {"memory_gib", int_field(&Machine::memory_gib, 1, 1'000'000)},
        {"gpu_cpus", list_field(&Machine::gpu_cpus)},
        {"node_local", text_field(&Machine::node_local)},
        {"filesystems", list_field(&Machine::filesystems)},
        {"select", text_field(&Machine::select)},
        {"place", text_field(&Machine::place_policy)},
        {"queue_option", word_field(&Machine::queue_option, {"partition", "qos"})},
        {"constraint", text_field(&Machine::constraint)},
        {"attributes", list_field(&Machine::attributes)},
        {"environment",
         [](Machine& m, const Raw& raw, const std::string& what) {
             fill(m.environment, raw, environment_fields(), what);
         }},
        {"queues", fill_queues},
    };
    return fields;
}

const Fields<Collection>& collection_fields() {
    static const Fields<Collection> fields{
        {"id", uuid_field(&Collection::id)},
        {"name", text_field(&Collection::name)},
        {"path",
         [](Collection& c, const Raw& raw, const std::string& what) {
             c.path = text_of(raw, what);
             if (c.path.empty() || c.path.front() != '/' || c.path.back() != '/') {
                 refuse(raw.place,
                        what + " is '" + printable(c.path) +
                            "'; allowed: an absolute directory that ends with '/'");
             }
         }},
    };
    return fields;
}

const Fields<Compute>& compute_fields() {
    static const Fields<Compute> fields{
        {"via", word_field(&Compute::via, {"here", "globus-compute", "job"})},
        {"endpoint", uuid_field(&Compute::endpoint)},
        {"login_endpoint", uuid_field(&Compute::login_endpoint)},
        {"function_id", uuid_field(&Compute::function_id)},
        {"earlier_functions",
         [](Compute& c, const Raw& raw, const std::string& what) {
             for (const auto& [name, value] : need_map(raw, what).members) {
                 c.earlier_functions[name] = uuid_of(value, what + ": " + name);
             }
         }},
    };
    return fields;
}

const Fields<Deployment>& deployment_fields() {
    static const Fields<Deployment> fields{
        {"description", text_field(&Deployment::description)},
        {"extends", [](Deployment&, const Raw&, const std::string&) {}},
        {"machine", text_field(&Deployment::machine)},
        {"account", text_field(&Deployment::account)},
        {"queue", text_field(&Deployment::queue)},
        {"walltime",
         [](Deployment& d, const Raw& raw, const std::string& what) {
             d.walltime_s = walltime_of(raw, what);
         }},
        {"nodes", int_field(&Deployment::nodes, 1, 1'000'000)},
        {"gpus", int_field(&Deployment::gpus, 0, 1024)},
        {"filesystems", list_field(&Deployment::filesystems)},
        {"source", text_field(&Deployment::source)},
        {"staging", text_field(&Deployment::staging)},
        {"publish", text_field(&Deployment::publish)},
        {"earlier_source", text_field(&Deployment::earlier_source)},
        {"earlier_staging", text_field(&Deployment::earlier_staging)},
        {"staging_dir", text_field(&Deployment::staging_dir)},
        {"publish_base", text_field(&Deployment::publish_base)},
        {"search_index", uuid_field(&Deployment::search_index)},
        {"https_host", text_field(&Deployment::https_host)},
        {"group", uuid_field(&Deployment::group)},
        {"groups",
         [](Deployment& d, const Raw& raw, const std::string& what) {
             d.groups = texts_of(raw, what);
             for (const Raw& item : raw.items) {
                 uuid_of(item, what);
             }
         }},
        {"organization", text_field(&Deployment::organization)},
        {"facility", text_field(&Deployment::facility)},
        {"service_account", bool_field(&Deployment::service_account)},
        {"report", word_field(&Deployment::report, {"auto", "required", "off"})},
        {"stage_to_node", bool_field(&Deployment::stage_to_node)},
        {"requeue", bool_field(&Deployment::requeue)},
        {"programs", text_field(&Deployment::programs)},
        {"flow_id", uuid_field(&Deployment::flow_id)},
        {"dataset_name", word_field(&Deployment::dataset_name, {"first-dot", "stem"})},
        {"environment",
         [](Deployment& d, const Raw& raw, const std::string& what) {
             fill(d.environment, raw, environment_fields(), what);
         }},
        {"compute",
         [](Deployment& d, const Raw& raw, const std::string& what) {
             fill(d.compute, raw, compute_fields(), what);
         }},
    };
    return fields;
}

/// What `defaults` may hold; the first five are handed to every deployment.
struct Defaults {
    std::string deployment, group, search_index, https_host, publish_base;
    std::vector<std::string> cycle_prefixes;
    std::vector<PathRule> path_rules;
};

void fill_path_rules(Defaults& defaults, const Raw& raw, const std::string& what) {
    static const Fields<PathRule> fields{
        {"below", text_field(&PathRule::below)},
        {"deployment", text_field(&PathRule::deployment)},
    };
    if (raw.kind != Raw::Kind::list) {
        refuse(raw.place, what + " must be a list of {below, deployment}");
    }
    for (const Raw& item : raw.items) {
        PathRule rule;
        rule.place = item.place;
        fill(rule, item, fields, what);
        defaults.path_rules.push_back(rule);
    }
}

const Fields<Defaults>& default_fields() {
    static const Fields<Defaults> fields{
        {"deployment", text_field(&Defaults::deployment)},
        {"group", uuid_field(&Defaults::group)},
        {"search_index", uuid_field(&Defaults::search_index)},
        {"https_host", text_field(&Defaults::https_host)},
        {"publish_base", text_field(&Defaults::publish_base)},
        {"cycle_prefixes", list_field(&Defaults::cycle_prefixes)},
        {"path_rules", fill_path_rules},
    };
    return fields;
}

/// The raw deployment with everything that it extends below it.
Raw with_parents(const std::string& name, const Raw& all, std::vector<std::string> path) {
    const Raw& own = *all.find(name);
    if (own.kind != Raw::Kind::map) {
        refuse(own.place, "deployment '" + printable(name) + "' must be a list of `name: value`");
    }
    const Raw* parent = own.find("extends");
    if (!parent) {
        return own;
    }
    for (const auto& seen : path) {
        if (seen == name) {
            refuse(parent->place, "deployment '" + printable(name) + "' extends itself");
        }
    }
    const std::string parent_name = text_of(*parent, "extends");
    if (!all.find(parent_name)) {
        std::vector<std::string> known;
        for (const auto& member : all.members) {
            known.push_back(member.first);
        }
        refuse(parent->place,
               "deployment '" + printable(name) + "' extends '" + printable(parent_name) +
                   "', which is not known" + did_you_mean(parent_name, known) +
                   "; allowed: " + joined(known));
    }
    path.push_back(name);
    return merge(with_parents(parent_name, all, path), own);
}

void check_top(const Raw& raw, const std::string& file) {
    if (raw.kind == Raw::Kind::null) {
        return;
    }
    need_map(raw, "the file");
    static const std::vector<std::string> known{
        "schema", "version", "defaults", "machines", "collections", "deployments"};
    for (const auto& [key, value] : raw.members) {
        bool found = false;
        for (const auto& word : known) {
            found = found || word == key;
        }
        if (!found) {
            refuse(value.place,
                   "key '" + printable(key) + "' is not known" + did_you_mean(key, known) +
                       "; allowed: " + joined(known));
        }
    }
    const Raw* schema = raw.find("schema");
    if (!schema) {
        refuse({file, 1}, "`schema: 1` is missing");
    }
    integer_of(*schema, "schema", 1, 1);
}

template <class T>
void fill_section(std::map<std::string, T>& out,
                  const Raw& all,
                  const char* section,
                  const char* singular,
                  const Fields<T>& fields,
                  std::string T::*name_member) {
    const Raw* raw = all.find(section);
    if (!raw) {
        return;
    }
    for (const auto& [name, value] : need_map(*raw, section).members) {
        check_word(name, value.place, std::string("name of a ") + singular);
        T entry;
        entry.*name_member = name;
        entry.place = value.place;
        fill(entry, value, fields, std::string(singular) + " '" + name + "'");
        out[name] = entry;
    }
}

void fill_deployments(Site& site, const Raw& all, const Defaults& defaults) {
    const Raw* raw = all.find("deployments");
    if (!raw) {
        return;
    }
    for (const auto& [name, own] : need_map(*raw, "deployments").members) {
        check_word(name, own.place, "name of a deployment");
        const Raw value = with_parents(name, *raw, {});
        Deployment entry;
        entry.name = name;
        entry.place = own.place;
        entry.group = defaults.group;
        entry.search_index = defaults.search_index;
        entry.https_host = defaults.https_host;
        entry.publish_base = defaults.publish_base;
        fill(entry, value, deployment_fields(), "deployment '" + name + "'");
        for (const auto& [key, field] : value.members) {
            entry.where[key] = field.place;
        }
        site.deployments[name] = entry;
    }
}

}  // namespace

const Place& Deployment::at(const std::string& field) const {
    const auto found = where.find(field);
    return found == where.end() ? place : found->second;
}

Site load_site_texts(const std::vector<std::pair<std::string, std::string>>& texts) {
    Raw all;
    all.kind = Raw::Kind::map;
    Site site;
    for (const auto& [file, text] : texts) {
        const Raw raw = parse_yaml(text, file);
        check_top(raw, file);
        if (raw.kind == Raw::Kind::map) {
            all = merge(std::move(all), raw);
        }
        site.files.push_back(file);
    }
    Defaults defaults;
    if (const Raw* raw = all.find("defaults")) {
        fill(defaults, *raw, default_fields(), "defaults");
    }
    if (const Raw* raw = all.find("version")) {
        site.version = text_of(*raw, "version");
    }
    site.default_deployment = defaults.deployment;
    site.cycle_prefixes = defaults.cycle_prefixes;
    site.path_rules = defaults.path_rules;
    fill_section(site.machines, all, "machines", "machine", machine_fields(), &Machine::name);
    fill_section(
        site.collections, all, "collections", "collection", collection_fields(), &Collection::key);
    fill_deployments(site, all, defaults);
    check_site(site);
    return site;
}

Site load_site(const std::vector<std::string>& files) {
    std::vector<std::pair<std::string, std::string>> texts{
        {"deployments.yaml (built in)", built_in_deployments()}};
    for (const auto& file : files) {
        texts.emplace_back(file, read_text(file));
    }
    return load_site_texts(texts);
}

}  // namespace xpcs::jobgen
