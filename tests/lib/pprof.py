#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a profile.proto with protobuf's own reader and prints it as JSON.

pprof.py FILE: {types, default, seconds, samples: [{frames: [[function, file,
line, module, address], ...], values, labels}]}, innermost frame first. What
pprof itself would refuse is an error: ids that are none, texts out of range,
samples without a value for each type. The messages are described here, with
the fields of google/pprof's profile.proto that are in use.
"""
import gzip
import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool

try:
    from google.protobuf.message_factory import GetMessageClass
except ImportError:  # before 4.22
    from google.protobuf.message_factory import MessageFactory

    def GetMessageClass(of):
        return MessageFactory().GetPrototype(of)

# name, number, type, repeated
U, I, S, B = "uint64", "int64", "string", "bool"
MESSAGES = {
    "ValueType": [("type", 1, I, 0), ("unit", 2, I, 0)],
    "Label": [("key", 1, I, 0), ("str", 2, I, 0), ("num", 3, I, 0), ("num_unit", 4, I, 0)],
    "Sample": [("location_id", 1, U, 1), ("value", 2, I, 1), ("label", 3, "Label", 1)],
    "Mapping": [("id", 1, U, 0), ("memory_start", 2, U, 0), ("memory_limit", 3, U, 0),
                ("file_offset", 4, U, 0), ("filename", 5, I, 0), ("build_id", 6, I, 0),
                ("has_functions", 7, B, 0)],
    "Line": [("function_id", 1, U, 0), ("line", 2, I, 0)],
    "Location": [("id", 1, U, 0), ("mapping_id", 2, U, 0), ("address", 3, U, 0),
                 ("line", 4, "Line", 1)],
    "Function": [("id", 1, U, 0), ("name", 2, I, 0), ("system_name", 3, I, 0),
                 ("filename", 4, I, 0), ("start_line", 5, I, 0)],
    "Profile": [("sample_type", 1, "ValueType", 1), ("sample", 2, "Sample", 1),
                ("mapping", 3, "Mapping", 1), ("location", 4, "Location", 1),
                ("function", 5, "Function", 1), ("string_table", 6, S, 1),
                ("time_nanos", 9, I, 0), ("duration_nanos", 10, I, 0),
                ("period_type", 11, "ValueType", 0), ("period", 12, I, 0),
                ("comment", 13, I, 1), ("default_sample_type", 14, I, 0)],
}


def profile_class():
    kinds = descriptor_pb2.FieldDescriptorProto
    scalar = {U: kinds.TYPE_UINT64, I: kinds.TYPE_INT64, S: kinds.TYPE_STRING, B: kinds.TYPE_BOOL}
    file = descriptor_pb2.FileDescriptorProto(name="p.proto", package="p", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            f = message.field.add(name=field, number=number)
            f.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in scalar:
                f.type = scalar[kind]
            else:
                f.type, f.type_name = kinds.TYPE_MESSAGE, ".p." + kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("p.Profile"))


def by_id(rows):
    found = {row.id: row for row in rows}
    assert len(found) == len(rows) and 0 not in found, "ids are not unique"
    return found


def main():
    with gzip.open(sys.argv[1]) as f:
        p = profile_class().FromString(f.read())
    text = p.string_table
    assert text[0] == "" and len(set(text)) == len(text), "string table"
    mappings, locations = by_id(p.mapping), by_id(p.location)
    functions = by_id(p.function)

    def frames(sample):
        for i in sample.location_id:
            at = locations[i]
            module = text[mappings[at.mapping_id].filename] if at.mapping_id else ""
            assert at.line, "a location without a function"
            for line in at.line:
                f = functions[line.function_id]
                yield [text[f.name], text[f.filename], line.line, module, at.address]

    types = [[text[t.type], text[t.unit]] for t in p.sample_type]
    samples = []
    for s in p.sample:
        assert len(s.value) == len(types), "a value for each type"
        samples.append({"frames": list(frames(s)), "values": list(s.value),
                        "labels": {text[x.key]: text[x.str] for x in s.label}})
    json.dump({"types": types, "default": text[p.default_sample_type],
               "seconds": p.duration_nanos / 1e9, "samples": samples}, sys.stdout)


main()
