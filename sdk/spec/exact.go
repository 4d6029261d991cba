package spec

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// inexact returns a key that encoding/json took for a field of t although its case differs, "" where there is none:
// every other reader of the same JSON takes it for nothing. raw was decoded into t without unknown fields.
func inexact(raw []byte, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return ""
	}
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(raw, &members) // null: nothing in it
		known := fieldsOf(t)
		for _, key := range slices.Sorted(maps.Keys(members)) {
			field, ok := known[key]
			if !ok {
				return key
			}
			if bad := inexact(members[key], field); bad != "" {
				return bad
			}
		}
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items)
		for _, item := range items {
			if bad := inexact(item, t.Elem()); bad != "" {
				return bad
			}
		}
	case reflect.Map:
		var values map[string]json.RawMessage
		_ = json.Unmarshal(raw, &values)
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if bad := inexact(values[key], t.Elem()); bad != "" {
				return bad
			}
		}
	}
	return ""
}

// fieldsOf are the fields of a struct by their names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			continue // its own fields are visible
		}
		if name == "" {
			name = f.Name
		}
		if f.IsExported() && name != "-" {
			known[name] = f.Type
		}
	}
	return known
}
