#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Results against the application definition NXxpcs: nxxpcs_test.py XPCS_CORR NXDL. Exit 77: not here.

The definition is walked (nxdl.py); for each thing that it requires there is a file that lacks it and
must be refused.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import h5py
    import numpy
except ImportError:
    print("skipped: python3-h5py is not installed")
    sys.exit(77)
from nxdl import Definition

XPCS, NXDL = sys.argv[1], pathlib.Path(sys.argv[2])
if not NXDL.is_file():
    print(f"skipped: the definition {NXDL} is not beside the checkout")
    sys.exit(77)

REQUIRED = {  # what must be named when it is taken away
    "entry": "/NXentry: group is missing",
    "process": "/NXprocess: group is missing",
    "entry/definition": "/entry/definition: field is missing",
    "entry/entry_identifier": "/entry/entry_identifier: field is missing",
    "entry/scan_number": "/entry/scan_number: field is missing",
    "entry/start_time": "/entry/start_time: field is missing",
    "entry/data": "/entry/data: group is missing",
    "entry/instrument": "/entry/instrument: group is missing",
    "entry/instrument/incident_beam": "/entry/instrument/incident_beam: group is missing",
    "entry/instrument/incident_beam/incident_energy": "incident_energy: field is missing",
    "entry/instrument/detector_1": "/entry/instrument/NXdetector: group is missing",
    "entry/instrument/detector_1/count_time": "count_time: field is missing",
    "entry/instrument/detector_1/frame_time": "frame_time: field is missing",
    "entry/instrument/detector_1/beam_center_x": "beam_center_x: field is missing",
    "entry/instrument/detector_1/beam_center_y": "beam_center_y: field is missing",
    "entry/instrument/masks/dynamic_roi_map": "dynamic_roi_map: field is missing",
}
REQUIRED_ATTRIBUTES = {
    ("entry/data/g2", "storage_mode"),
    ("entry/data/g2_derr", "storage_mode"),
    ("entry/data/delay_difference", "storage_mode"),
    ("entry/data/delay_difference", "units"),
    ("entry/twotime/two_time_corr_func", "storage_mode"),
    ("entry/twotime/two_time_corr_func", "baseline_reference"),
    ("entry/twotime/two_time_corr_func", "time_origin_location"),
    ("entry/twotime/two_time_corr_func", "populated_elements"),
    ("entry/twotime/g2_from_two_time_corr_func", "first_point_for_fit"),
    ("entry/instrument/incident_beam/incident_energy", "units"),
    ("entry/instrument/detector_1/beam_center_x", "units"),
    ("entry/instrument/masks/static_roi_map", "units"),
}


def replace(file, path, value, **attributes):
    old = dict(file[path].attrs)
    del file[path]
    file[path] = value
    file[path].attrs.update({**old, **attributes})


# The file is spoilt in some way, and the walker must see it.
SPOILT = {
    "definition": (lambda f: replace(f, "entry/definition", "NXother"), "'NXother', one of NXxpcs"),
    "type": (lambda f: replace(f, "entry/scan_number", 1.5), "scan_number: type float64"),
    "text": (lambda f: replace(f, "entry/start_time", "yesterday"), "'yesterday' is no date"),
    "group": (lambda f: (f["entry/data"].__delitem__("g2"), f["entry/data"].create_group("g2")),
              "g2: a group, a field is expected"),
    "class": (lambda f: f["entry/data"].attrs.__setitem__("NX_class", "NXnote"),
              "/entry/data: NX_class 'NXnote'"),
    "pixels": (lambda f: f["entry/instrument/detector_1/beam_center_x"].attrs.__setitem__("units", "pixel"),
               "beam_center_x: units 'pixel', NX_LENGTH"),
    "enumeration": (lambda f: f["entry/data/g2"].attrs.__setitem__("storage_mode", "many"),
                    "g2@storage_mode: 'many'"),
    "number": (lambda f: f["entry/twotime/two_time_corr_func"].attrs.__setitem__("baseline_reference", 2),
               "baseline_reference: '2'"),
    "energy": (lambda f: replace(f, "entry/instrument/incident_beam/incident_energy", 11),
               "incident_energy: type int64, NX_FLOAT"),
}


def xpcs(*arguments):
    done = subprocess.run([XPCS, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments}: exit {done.returncode}: {done.stderr}")
    return done.stdout


class Nxxpcs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        base = cls.base = pathlib.Path(cls.scratch.name)
        small = ["--rows", 64, "--cols", 128, "--energy", 11, "--distance", 4, "--pixel-size", 300e-6,
                 "--beam-x", 64.5, "--beam-y", 32]
        xpcs("make-qmap", *small, "--dynamic-q", 4, "--static-q", 8, "--output", base / "qmap.h5")
        xpcs("simulate", "--format", "rigaku", "--frames", 300, "--occupancy", 0.05, "--seed", 3, *small,
             "--output", base / "run.bin", "--progress", "never")
        xpcs("-r", base / "run.bin", "-q", base / "qmap.h5", "-o", base, "-t", "Both", "-nf", 0,
             "-G", "-np", 3, "--device", "cpu", "--threads", 1, "--log-level", "error")
        cls.result = base / "run_results.hdf"
        cls.exported = base / "run_nxxpcs.h5"
        xpcs("export", cls.result, "--format", "nxxpcs", "-o", cls.exported)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def faults(self, path, entry=None):
        with h5py.File(path) as file:
            return Definition(NXDL).faults(file, entry)

    def spoilt(self, change):
        path = self.base / "spoilt.h5"
        shutil.copy(self.exported, path)
        with h5py.File(path, "r+") as file:
            change(file)
        return self.faults(path)

    def test_export_is_valid(self):
        self.assertEqual(self.faults(self.exported), [])

    def test_entry_of_every_result_is_valid(self):
        self.assertEqual(self.faults(self.result, "nxxpcs"), [])

    def test_the_whole_definition_was_walked(self):
        definition = Definition(NXDL)
        with h5py.File(self.exported) as file:
            definition.faults(file)
        # All of it but what stands below the optional things that the file has not.
        nodes = [node for node in definition.root.iter()
                 if node.tag.rsplit("}")[-1] in ("group", "field", "attribute")]
        absent = [node for node in nodes if node.get("type") == "NXsample"
                  or node.get("name") in ("G2_unnormalized", "g2_err_from_two_time_corr_func")]
        self.assertEqual(len(absent), 3)
        below = sum(len([node for node in one.iter() if node in nodes]) - 1 for one in absent)
        self.assertEqual(len(definition.walked), len(nodes) - below)
        self.assertIn("/entry/twotime/two_time_corr_func@populated_elements", definition.walked)
        self.assertIn("/entry/instrument/masks/static_q_list", definition.walked)

    def test_every_required_thing_is_missed(self):
        for path, words in REQUIRED.items():
            with self.subTest(path):
                found = self.spoilt(lambda file, path=path: file.__delitem__(path))
                self.assertTrue(any(words in fault for fault in found), found)
        for path, name in REQUIRED_ATTRIBUTES:
            with self.subTest(f"{path}@{name}"):
                found = self.spoilt(lambda file, p=path, n=name: file[p].attrs.__delitem__(n))
                if (path, name) == ("entry/instrument/masks/static_roi_map", "units"):
                    self.assertEqual(found, [])  # dimensionless: may be left out
                else:
                    self.assertEqual(len(found), 1, found)

    def test_every_wrong_thing_is_seen(self):
        for name, (change, words) in SPOILT.items():
            with self.subTest(name):
                found = self.spoilt(change)
                self.assertTrue(any(words in fault for fault in found), found)

    def test_a_result_of_the_production_layout_alone_is_not_valid(self):
        self.assertIn("/entry/data: group is missing", self.faults(self.result, "entry"))

    def test_numbers_are_those_of_the_result(self):
        for path, entry in ((self.exported, "entry"), (self.result, "nxxpcs")):
            with self.subTest(entry), h5py.File(self.result) as result, h5py.File(path) as file:
                nx, ours = file[entry], result["xpcs"]
                same = numpy.testing.assert_array_equal
                same(nx["data/g2"], ours["multitau/normalized_g2"])
                same(nx["data/g2_derr"], ours["multitau/normalized_g2_err"])
                same(nx["data/delay_difference"], ours["multitau/delay_list"])
                maps = nx["twotime/two_time_corr_func"]
                self.assertEqual(maps.shape, (4, 300, 300))
                for k in range(4):
                    same(maps[k], ours[f"twotime/correlation_map/c2_{k + 1:05d}"])
                same(nx["instrument/masks/dynamic_roi_map"], ours["qmap/dynamic_roi_map"])
                q = nx["instrument/masks/dynamic_q_list"][()]
                same(q, ours["qmap/dynamic_v_list_dim0"])
                detector = nx["instrument/detector_1"]
                self.assertAlmostEqual(detector["beam_center_x"][()], 64.5 * 300e-6)
                self.assertEqual(nx["data"].attrs["signal"], "g2")

    def test_an_older_result_becomes_one(self):
        old = self.base / "old.hdf"
        xpcs("export", self.result, "--format", "exchange", "-o", old)
        xpcs("export", old, "--format", "nxxpcs", "-o", self.base / "from_old.h5")
        self.assertEqual(self.faults(self.base / "from_old.h5"), [])
        xpcs("export", old, "--format", "xpcs", "-o", self.base / "back.hdf")
        self.assertEqual(self.faults(self.base / "back.hdf", "nxxpcs"), [])

    def test_chunks_are_small_and_filters_are_those_of_every_reader(self):
        found = []

        def look(name, item):
            if not isinstance(item, h5py.Dataset) or item.is_virtual:
                return
            if item.chunks:
                self.assertLessEqual(numpy.prod(item.chunks) * item.dtype.itemsize, 4 << 20, name)
            self.assertIn(item.compression, (None, "gzip"), name)
            found.append(name)

        with h5py.File(self.result) as file:
            file["xpcs"].visititems(look)
            self.assertEqual(file["xpcs/multitau/unnormalized_G2"].attrs["slots"], "G2,IF,IP")
        for name in ("multitau/unnormalized_G2", "twotime/correlation_map/c2_00004", "qmap/mask"):
            self.assertIn(name, found)

    def test_every_analysis_honours_names(self):
        """Prefix, suffix and rawdata_path, which the production correlator forgets in some."""
        for analysis in ("Multitau", "Twotime", "Both", "TwotimeMultitau"):
            with self.subTest(analysis):
                out = self.base / analysis
                raw = self.base / "run.bin"
                said = xpcs("-r", raw, "-q", self.base / "qmap.h5", "-o", out, "-t", analysis,
                            "-p", "before_", "-u", "_after", "--device", "cpu", "--log-level", "error")
                path = out / "before_run_after_results.hdf"
                self.assertEqual(said.splitlines()[-1], str(path))
                with h5py.File(path) as file:
                    self.assertEqual(file["xpcs/rawdata_path"][()].decode(), str(raw))
                    self.assertEqual(Definition(NXDL).faults(file, "nxxpcs"), [])

    def test_viewers_still_find_what_they_read(self):
        """What pyXpcsViewer reads, in the way it does."""
        with h5py.File(self.result) as file:
            detector = file["/entry/instrument/detector_1"]
            for name in ("frame_time", "count_time", "x_pixel_size", "y_pixel_size"):
                self.assertEqual(numpy.squeeze(detector[name][()]).shape, ())
            self.assertGreater(float(file["/entry/instrument/incident_beam/incident_energy"][()]), 0)
            self.assertTrue(file["/entry/start_time"][()])
            qmap = file["/xpcs/qmap"]
            self.assertEqual(len(qmap.attrs["hash"]), 64)
            n_dynamic = len(qmap["dynamic_index_mapping"])
            n_static = len(qmap["static_index_mapping"])
            for kind in ("dynamic", "static"):
                for axis in (0, 1):
                    self.assertEqual(qmap[f"{kind}_v_list_dim{axis}"].shape,
                                     (qmap[f"{kind}_num_pts"][axis],))
            shape = qmap["mask"].shape
            self.assertEqual(qmap["mask"].dtype, numpy.dtype(bool))
            for name in ("dynamic_roi_map", "static_roi_map"):
                self.assertEqual(qmap[name].shape, shape)
            self.assertEqual([text.decode() for text in qmap["map_names"][()]], ["q", "phi"])
            for name in ("map_units", "beam_center_x", "beam_center_y", "detector_distance", "pixel_size"):
                self.assertIn(name, qmap)
            mean = file["/xpcs/temporal_mean"]
            self.assertEqual(mean["scattering_1d"].shape[-1] % n_static, 0)
            self.assertEqual(mean["scattering_1d_segments"].shape[1] % n_static, 0)
            self.assertEqual(mean["scattering_2d"].shape, (1, *shape))
            self.assertEqual(file["/xpcs/spatial_mean/intensity_vs_time"].shape, (2, 300))
            multitau = file["/xpcs/multitau"]
            lags = multitau["delay_list"][()]
            self.assertEqual(lags.dtype.kind, "i")
            for name in ("normalized_g2", "normalized_g2_err"):
                self.assertEqual(multitau[name].shape, (len(lags), n_dynamic))
            two = file["/xpcs/twotime"]
            for group in (multitau, two):
                for name in ("stride_frame", "avg_frame"):
                    self.assertEqual(int(group[f"config/{name}"][()]), 1)
            bins = two["processed_bins"][()]
            self.assertEqual(sorted(two["correlation_map"]), [f"c2_{k + 1:05d}" for k in range(len(bins))])
            self.assertEqual(two["normalized_g2"].shape, (300, len(bins)))
            self.assertEqual(two["normalized_g2_segments"].shape, (60, 5, len(bins)))
            c2 = two["correlation_map/c2_00001"][()]
            self.assertEqual(numpy.abs(numpy.tril(c2, -1)).max(), 0)
            whole = c2 + c2.T
            whole[numpy.diag_indices(300)] /= 2
            self.assertAlmostEqual(numpy.diagonal(whole, 7).mean(), two["normalized_g2"][7, 0], places=5)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
