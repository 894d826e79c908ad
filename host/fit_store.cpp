// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit_store.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/rewrite_file.hpp"
#include "host/version.hpp"

#include <cmath>

namespace xpcs {

namespace {

namespace rp = result_path;

std::string group_path(FitModel model) {
    return rp::fit.path + std::string("/") + to_text(model);
}

const char* formula(FitModel model) {
    return model == FitModel::single ? "contrast exp(-2 (t/tau)^exponent) + baseline"
                                     : "contrast (fraction exp(-(t/tau)^exponent) + (1 - fraction) "
                                       "exp(-(t/tau2)^exponent2))^2 + baseline";
}

/// Values, then errors; NaN for a fit that failed, so that nobody takes it for a result.
void append(std::vector<double>& table, const FitResult& fit, std::size_t n) {
    for (const std::vector<double>* list : {&fit.values, &fit.errors}) {
        for (std::size_t p = 0; p < n; ++p) {
            table.push_back(fit.ok ? (*list)[p] : nan);
        }
    }
}

class Writer {
  public:
    Writer(hid_t file, std::string group) : file_(file), group_(std::move(group)) {}

    template <class T>
    void list(const char* name,
              const std::vector<T>& values,
              const h5::Shape& shape,
              const char* unit,
              const char* text) const {
        finish(h5::write<T>(file_, path(name), values, shape, result_storage()), unit, text);
    }
    void flags(const char* name, const std::vector<std::uint8_t>& values, const char* text) const {
        finish(h5::write_booleans(file_, path(name), values, {values.size()}), "", text);
    }
    void texts(const char* name, const std::vector<std::string>& values, const char* text) const {
        finish(h5::write_strings(file_, path(name), values), "", text);
    }
    std::string path(const char* name) const { return group_ + "/" + name; }

  private:
    hid_t file_;
    std::string group_;
};

void write_power_law(hid_t file, const FitTable& table) {
    const Writer out(file, group_path(table.model) + "/power_law");
    std::vector<double> values;
    append(values, table.power_law, 2);
    out.texts("names", {"a", "b"}, "tau = a q^b");
    out.list<double>("parameters", values, {2, 2}, "", "values, then errors; NaN if not fitted");
    out.list<double>("q_range", {table.q_low, table.q_high}, {2}, "", "bins used, by their q");
    out.list<std::int64_t>("n_points", {table.power_law.n_points}, {1}, "", "bins used");
    out.flags("fitted", {table.power_law.ok}, "whether the parameters can be used");
    out.texts("reason", {table.power_law.reason}, "why not");
}

/// g2 of the fit at every lag, NaN for a bin that was not fitted.
std::vector<float> curves(const FitTable& table, const std::vector<double>& delay) {
    std::vector<float> out;
    for (const double t : delay) {
        for (const BinFit& bin : table.bins) {
            out.push_back(
                static_cast<float>(bin.fit.ok ? model_value(table.model, t, bin.fit) : nan));
        }
    }
    return out;
}

std::vector<std::string> parameter_units(const FitTable& table, std::size_t n) {
    std::vector<std::string> units(n, "");
    units[fit_tau] = table.time_unit;
    if (n > fit_tau2) units[fit_tau2] = table.time_unit;
    return units;
}

}  // namespace

void write_fit(hid_t file, const FitTable& table, const ResultData& data) {
    const std::string path = group_path(table.model);
    if (h5::exists(file, path)) h5::remove(file, path);
    const h5::Group group = h5::require_group(file, path);
    h5::write_attribute(group.id(), "model", formula(table.model));
    h5::write_attribute(group.id(), "time_unit", table.time_unit);
    h5::write_attribute(group.id(), rp::attribute_program, rp::program_name);
    h5::write_attribute(group.id(), rp::attribute_version, version());

    const std::size_t n_par = n_parameters(table.model), n = table.bins.size();
    std::vector<double> parameters, chi2, q, phi, bounds;
    std::vector<std::int64_t> n_points;
    std::vector<std::uint8_t> fitted;
    std::vector<std::string> reasons;
    for (const BinFit& bin : table.bins) {
        append(parameters, bin.fit, n_par);
        chi2.push_back(bin.fit.chi2);
        n_points.push_back(bin.fit.n_points);
        fitted.push_back(bin.fit.ok);
        reasons.push_back(bin.fit.reason);
        q.push_back(bin.q);
        phi.push_back(bin.phi);
    }
    for (const FitBounds& b : bounds_of(table.model, table.options)) {
        bounds.insert(bounds.end(), {b.lower, b.upper});
    }
    const Writer out(file, path);
    const auto& names = parameter_keys();
    out.texts("names",
              {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(n_par)},
              "parameters, in order");
    out.texts("units", parameter_units(table, n_par), "their units");
    out.list<double>("parameters",
                     parameters,
                     {n, 2, n_par},
                     "",
                     "of each dynamic bin: values, then errors; NaN if not fitted");
    out.list<double>("bounds",
                     bounds,
                     {n_par, 2},
                     "",
                     "lower and upper; equal: fixed; 0 and 0: from the delays");
    out.flags("fitted", fitted, "whether the parameters of the bin can be used");
    out.texts("reason", reasons, "why not");
    out.list<double>("chi2", chi2, {n}, "", "sum of (residual / error)^2");
    out.list<std::int64_t>("n_points", n_points, {n}, "", "points used");
    out.list<double>("q", q, {n}, table.axis_units[0].c_str(), "centre along the first map axis");
    out.list<double>("phi", phi, {n}, table.axis_units[1].c_str(), "along the second");
    const std::vector<double> delay = fit_delays(data);
    out.list<float>("curve", curves(table, delay), {delay.size(), n}, "", "g2 of the fit");
    write_power_law(file, table);
}

void store_fit(const std::string& path, const FitTable& table, const ResultData& data) {
    RewrittenResult file(path);
    write_fit(file.id(), table, data);
    file.commit();
}

std::optional<FitTable> read_fit(const ResultData& data, FitModel model) {
    const h5::File file = h5::open_file(data.path);
    const std::string path = group_path(model);
    const std::size_t n_par = n_parameters(model);
    const auto n = static_cast<std::size_t>(data.one_time.g2.cols);
    if (!h5::is_group(file.id(), path)) return std::nullopt;
    const auto read = [&](const std::string& name) {
        return h5::read<double>(file.id(), path + "/" + name, std::uint64_t{1} << 26);
    };
    try {
        const std::vector<double> parameters = read("parameters"), fitted = read("fitted"),
                                  chi2 = read("chi2"), n_points = read("n_points"),
                                  bounds = read("bounds"), law = read("power_law/parameters"),
                                  range = read("power_law/q_range");
        const auto reasons = h5::read_strings(file.id(), path + "/reason");
        const auto law_reason = h5::read_strings(file.id(), path + "/power_law/reason");
        if (parameters.size() != 2 * n * n_par || fitted.size() != n || chi2.size() != n ||
            n_points.size() != n || reasons.size() != n || bounds.size() != 2 * n_par ||
            law.size() != 4 || range.size() != 2 || law_reason.size() != 1) {
            return std::nullopt;
        }
        FitTable table = empty_table(data, model);
        const auto unit =
            h5::read_string_attribute(h5::open_group(file.id(), path).id(), "time_unit");
        if (unit.value_or("") != table.time_unit) return std::nullopt;
        int n_free = 0;
        for (std::size_t p = 0; p < n_par; ++p) {
            n_free += bounds[2 * p] != bounds[2 * p + 1] || bounds[2 * p + 1] == 0;
        }
        table.stretched = bounds[2 * fit_exponent] != bounds[2 * fit_exponent + 1];
        table.q_low = range[0];
        table.q_high = range[1];
        for (std::size_t k = 0; k < n; ++k) {
            FitResult& fit = table.bins[k].fit;
            const auto first = parameters.begin() + static_cast<std::ptrdiff_t>(2 * n_par * k);
            fit.values.assign(first, first + static_cast<std::ptrdiff_t>(n_par));
            fit.errors.assign(first + static_cast<std::ptrdiff_t>(n_par),
                              first + static_cast<std::ptrdiff_t>(2 * n_par));
            fit.ok = fitted[k] != 0;
            fit.reason = reasons[k];
            fit.chi2 = chi2[k];
            fit.n_points = static_cast<int>(n_points[k]);
            fit.n_free = n_free;
        }
        table.power_law.values = {law[0], law[1]};
        table.power_law.errors = {law[2], law[3]};
        table.power_law.ok = read("power_law/fitted").front() != 0;
        table.power_law.n_points = static_cast<int>(read("power_law/n_points").front());
        table.power_law.reason = law_reason.front();
        return table;
    } catch (const Error&) {
        return std::nullopt;  // another program's group of that name
    }
}

}  // namespace xpcs
