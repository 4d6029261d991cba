package schematest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"octopus/sdk/spec"
)

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	raw, err := spec.Schemas.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, raw string) bool {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc) == nil
}

// What the schema says and what the decoder does must be the same.
func TestResponseSchemaAgreesWithDecoder(t *testing.T) {
	t.Parallel()
	s := compile(t, "response.schema.json")
	for raw, want := range map[string]bool{
		`{"status_code":200}`: true,
		`{"status_code":200,"message":"ok","data":[],"result":null,"metrics":{"a":1},"error":{"code":"x"}}`: true,
		`{"status_code":200,"message":null,"data":null,"metrics":null,"error":null}`:                        true,
		`{"status_code":200,"something":"new"}`:                                                             true,
		`{}`:                                                                                                false, `[]`: false,
		`{"status_code":"200"}`: false, `{"status_code":99}`: false, `{"status_code":600}`: false, `{"status_code":null}`: false,
		`{"status_code":200,"message":1}`:                                                           false,
		`{"status_code":200,"metrics":{"a":"1"}}`:                                                   false,
		`{"status_code":200,"error":{"retryable":1}}`:                                               false,
		`{"status_code":200,"error":{"retry_after_seconds":-1}}`:                                    false,
		`{"status_code":200,"data":{}}`:                                                             false,
		`{"status_code":200,"data":[{"type":"db","name":"a","value":null}]}`:                        true,
		`{"status_code":200,"data":[{"type":"db","name":"a"}]}`:                                     false,
		`{"status_code":200,"data":[{"type":"db","name":"","value":1}]}`:                            false,
		`{"status_code":200,"data":[{"type":"queue","name":"a","value":1}]}`:                        false,
		`{"status_code":200,"data":[{"type":"db","name":"a","value":1,"more":1}]}`:                  false,
		`{"status_code":200,"data":[{"type":"db","name":"a","value":1,"ttl_seconds":1}]}`:           false,
		`{"status_code":200,"data":[{"type":"db","name":"a","value":1,"encoding":"json"}]}`:         false,
		`{"status_code":200,"data":[{"type":"cache","name":"a/b","value":1,"ttl_seconds":1}]}`:      true,
		`{"status_code":200,"data":[{"type":"cache","name":"a","value":1,"ttl_seconds":0}]}`:        false,
		`{"status_code":200,"data":[{"type":"file","name":"a.txt","value":"x","encoding":"utf8"}]}`: true,
		`{"status_code":200,"data":[{"type":"file","name":"a","value":{},"encoding":"json"}]}`:      true,
		`{"status_code":200,"data":[{"type":"file","name":"a","value":1,"encoding":"utf8"}]}`:       false,
		`{"status_code":200,"data":[{"type":"file","name":"a/b","value":"x"}]}`:                     false,
		`{"status_code":200,"data":[{"type":"file","name":"a\\b","value":"x"}]}`:                    false,
		`{"status_code":200,"data":[{"type":"file","name":"..","value":"x"}]}`:                      false,
		`{"status_code":200,"data":[{"type":"file","name":"a.","value":"x"}]}`:                      false,
	} {
		_, err := spec.DecodeResponse([]byte(raw))
		if decoded := err == nil; decoded != want {
			t.Errorf("decoder on %s: %v (%v)", raw, decoded, err)
		}
		if got := valid(t, s, raw); got != want {
			t.Errorf("schema on %s: %v", raw, got)
		}
	}
}

func TestRequestSchema(t *testing.T) {
	t.Parallel()
	s := compile(t, "request.schema.json")
	raw, err := json.Marshal(spec.Request{ABI: spec.ABI, Action: "check", Params: json.RawMessage(`{}`),
		Execution: spec.RequestExecution{ID: "exe_1", Run: "run_1", Attempt: 1}, User: &spec.RequestUser{Name: "ada"}})
	if err != nil {
		t.Fatal(err)
	}
	if !valid(t, s, string(raw)) {
		t.Errorf("%s is not valid", raw)
	}
	if valid(t, s, `{"abi":2,"action":"check","params":{}}`) {
		t.Error("another ABI is valid")
	}
}

func TestManifestSchema(t *testing.T) {
	t.Parallel()
	s := compile(t, "manifest.schema.json")
	for raw, want := range map[string]bool{
		`{"schema":"octopus.plugin/v1","abi":1,"name":"http-check","version":"1.2.0-rc.1","actions":[{"name":"check","params":{"type":"object"}}],
		  "capabilities":{"http":{"hosts":["*"],"addresses":["public"],"methods":["GET"]},"kv":{"max_bytes":"1MiB"},"host":["load"]},
		  "limits":{"timeout":"30s","memory":67108864},"tests":[{"name":"a","action":"check","expect":{"status_code":200}}]}`: true,
		`{"schema":"octopus.plugin/v1","abi":1,"name":"http-check","version":"1.2.0","actions":[]}`:                        false,
		`{"schema":"octopus.plugin/v1","abi":1,"name":"X","version":"1.2.0","actions":[{"name":"a"}]}`:                     false,
		`{"schema":"octopus.plugin/v1","abi":1,"name":"http-check","version":"1.2.0","actions":[{"name":"a"}],"limit":{}}`: false,
	} {
		if got := valid(t, s, raw); got != want {
			t.Errorf("schema on %s: %v", raw, got)
		}
		m, err := spec.DecodeManifest([]byte(raw))
		if got := err == nil && m.Validate() == nil; got != want {
			t.Errorf("decoder on %s: %v (%v)", raw, got, err)
		}
	}
}
