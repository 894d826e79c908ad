# SPDX-License-Identifier: BSD-3-Clause
"""Walks a NeXus application definition (NXDL) and an HDF5 file side by side.

Definition(path).faults(file) lists everything by which the file is not valid: groups, fields and
attributes that are required and missing, more or fewer of them than allowed, values outside an
enumeration, types, categories of units, and numbers of dimensions.
"""
import re
import xml.etree.ElementTree as ElementTree

import h5py
import numpy

INTEGERS, FLOATS, TEXTS = "iu", "f", "OSU"
TYPES = {
    "NX_CHAR": TEXTS,
    "NX_DATE_TIME": TEXTS,
    "ISO8601": TEXTS,
    "NX_INT": INTEGERS,
    "NX_UINT": "u",
    "NX_POSINT": INTEGERS,
    "NX_FLOAT": FLOATS,
    "NX_NUMBER": INTEGERS + FLOATS,
    "NX_BOOLEAN": "b",
    "NX_CHAR_OR_NUMBER": INTEGERS + FLOATS + TEXTS,
}
# Units that belong to a category; None: any, also none at all.
UNITS = {
    "NX_ANY": None,
    "NX_UNITLESS": None,
    "NX_DIMENSIONLESS": {"", "1", "au", "one"},
    "NX_COUNT": {"count", "counts", "frames", "counts/frame"},
    "NX_LENGTH": {"m", "mm", "um", "nm", "angstrom"},
    "NX_TIME": {"s", "ms", "us", "ns"},
    "NX_ENERGY": {"eV", "keV"},
    "NX_PER_LENGTH": {"1/m", "1/nm", "1/angstrom"},
    "NX_ANGLE": {"degree", "rad"},
    "NX_TEMPERATURE": {"K", "C", "degC"},
}
UNITS_MAY_BE_MISSING = {"NX_ANY", "NX_UNITLESS", "NX_DIMENSIONLESS"}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?\s?(Z|[+-]\d{2}:?\d{2})?")


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value


def kind_of(dtype):
    if h5py.check_enum_dtype(dtype) is not None:
        return "b"
    return dtype.kind


class Definition:
    """One application definition; nothing of it is known beforehand."""

    def __init__(self, path):
        self.root = ElementTree.parse(path).getroot()
        self.space = self.root.tag[: self.root.tag.index("}") + 1]
        self.walked = set()  # of the definition, for those who want to know that it was walked

    def faults(self, file, entry=None):
        """Faults of the file; with `entry` of that NXentry alone (others are not looked at)."""
        found = []
        self._group(self.root, file, "", found, entry)
        return found

    def _children(self, node, tag):
        return node.findall(self.space + tag)

    @staticmethod
    def _bounds(node):
        least = int(node.get("minOccurs", 0 if node.get("optional") == "true" else 1))
        most = node.get("maxOccurs", "unbounded" if node.tag.endswith("group") else "1")
        return least, None if most == "unbounded" else int(most)

    def _group(self, node, group, path, found, entry=None):
        for child in self._children(node, "group"):
            self._groups_of(child, group, path, found, entry)
        for child in self._children(node, "field"):
            self._field(child, group, path, found)
        for child in self._children(node, "attribute"):
            self._attribute(child, group, path, found)

    def _groups_of(self, node, group, path, found, entry):
        nx_class, name = node.get("type"), node.get("name")
        # A name in capitals is one that the writer chooses.
        free = name is None or name == name.upper()
        label = f"{path}/{nx_class if free else name}"
        self.walked.add(label)
        matches = []
        for key in group:
            item = group.get(key)
            if not isinstance(item, h5py.Group):
                if key == name:
                    found.append(f"{path}/{key}: a dataset, a group is expected")
                continue
            its_class = text(item.attrs.get("NX_class", ""))
            if free and its_class == nx_class:
                matches.append(key)
            elif not free and key == name:
                if its_class != nx_class:
                    found.append(f"{label}: NX_class '{its_class}', '{nx_class}' is expected")
                matches.append(key)
        if nx_class == "NXentry" and entry is not None:
            matches = [key for key in matches if key == entry]
        least, most = self._bounds(node)
        if len(matches) < least:
            found.append(f"{label}: group is missing")
        if most is not None and len(matches) > most:
            found.append(f"{label}: {len(matches)} groups, at most {most} are allowed")
        for key in matches:
            self._group(node, group[key], f"{path}/{key}", found)

    def _field(self, node, group, path, found):
        name = node.get("name")
        label = f"{path}/{name}"
        self.walked.add(label)
        item = group.get(name)
        if item is None:
            if self._bounds(node)[0] > 0:
                found.append(f"{label}: field is missing")
            return
        if not isinstance(item, h5py.Dataset):
            found.append(f"{label}: a group, a field is expected")
            return
        self._type(node, item.dtype, label, found)
        self._dimensions(node, item, label, found)
        self._units(node, item, label, found)
        if item.shape == ():
            self._value(node, text(item[()]), label, found)
        for child in self._children(node, "attribute"):
            self._attribute(child, item, label, found)

    def _attribute(self, node, item, path, found):
        name = node.get("name")
        label = f"{path}@{name}"
        self.walked.add(label)
        if name not in item.attrs:
            # Attributes are required unless the definition says otherwise.
            if node.get("optional") != "true" and node.get("minOccurs", "1") != "0":
                found.append(f"{label}: attribute is missing")
            return
        value = item.attrs[name]
        self._type(node, numpy.asarray(value).dtype, label, found)
        self._value(node, text(value), label, found)

    def _type(self, node, dtype, label, found):
        wanted = node.get("type", "NX_CHAR")
        kind = kind_of(dtype)
        if kind not in TYPES[wanted]:
            found.append(f"{label}: type {dtype}, {wanted} is expected")

    def _value(self, node, value, label, found):
        if node.get("type") == "NX_DATE_TIME" and not DATE.fullmatch(str(value)):
            found.append(f"{label}: '{value}' is no date and time")
        listed = self._children(node, "enumeration")
        if not listed:
            return
        allowed = [item.get("value") for item in self._children(listed[0], "item")]
        if str(value) not in allowed:
            found.append(f"{label}: '{value}', one of {', '.join(allowed)} is expected")

    def _units(self, node, item, label, found):
        category = node.get("units")
        if category is None:
            return
        unit = text(item.attrs.get("units"))
        if unit is None:
            if category not in UNITS_MAY_BE_MISSING:
                found.append(f"{label}: no units, {category} is expected")
        elif UNITS[category] is not None and unit not in UNITS[category]:
            found.append(f"{label}: units '{unit}', {category} is expected")

    def _dimensions(self, node, item, label, found):
        listed = self._children(node, "dimensions")
        if not listed:
            return
        rank = listed[0].get("rank", str(len(self._children(listed[0], "dim"))))
        if rank.isdigit() and item.ndim != int(rank):
            found.append(f"{label}: {item.ndim} dimensions, {rank} are expected")
