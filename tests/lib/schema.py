#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema.py FOLDER FILE...: holds JSON answers to the schemas in docs/schema.

Which schema is of an answer its own "schema" says. Stricter than the schemas are for
others: a key that no schema names is told, too. Prints what is wrong; status 1 then."""
import json
import pathlib
import sys

import jsonschema


def strict(node):
    """Objects with listed properties have no others."""
    if isinstance(node, dict):
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for child in node.values():
            strict(child)
    elif isinstance(node, list):
        for child in node:
            strict(child)
    return node


folder = pathlib.Path(sys.argv[1])
schemas = {f.name: strict(json.loads(f.read_text())) for f in folder.glob("*.json")}
for name, schema in schemas.items():
    jsonschema.Draft202012Validator.check_schema(schema)
    if schema["$id"] != name:
        sys.exit(f"{name}: its $id is {schema['$id']}")
named = {
    s["properties"]["schema"]["const"]: s for s in schemas.values() if "properties" in s
}
bad = False
for path in sys.argv[2:]:
    answer = json.loads(pathlib.Path(path).read_text())
    schema = named.get(answer.get("schema")) if isinstance(answer, dict) else None
    if schema is None:
        print(f"{path}: no object with a schema of docs/schema")
        bad = True
        continue
    resolver = jsonschema.RefResolver("", schema, store=schemas)
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    for error in list(validator.iter_errors(answer))[:5]:
        print(f"{path}: {error.json_path}: {error.message[:300]}")
        bad = True
sys.exit(bad)
