package spec

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeResponse(t *testing.T) {
	t.Parallel()
	r, err := DecodeResponse([]byte(` {"status_code":200,"message":"ok","new_field":[1],
		"data":[{"type":"cache","name":"a","value":1,"ttl_seconds":5},{"type":"db","name":"a","value":[1]},
		{"type":"file","name":"a.txt","value":"aGk=","encoding":"base64"}],
		"result":{"x":1},"metrics":{"ms":1.5},"error":{"code":"c","retryable":false,"retry_after_seconds":2}}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != 200 || len(r.Data) != 3 || r.Metrics["ms"] != 1.5 || r.MayRetry() || string(r.Result) != `{"x":1}` {
		t.Fatalf("decoded %+v", r)
	}
	if raw, err := r.Data[2].FileBytes(); err != nil || string(raw) != "hi" {
		t.Fatalf("file bytes %q, %v", raw, err)
	}
	if r, err := DecodeResponse([]byte(`{"status_code":204}`)); err != nil || !r.Succeeded() {
		t.Fatalf("the smallest response: %+v, %v", r, err)
	}
}

func TestDecodeResponseRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	op := func(fields string) string { return `{"status_code":200,"data":[{` + fields + `}]}` }
	file := func(name string) string { return op(`"type":"file","name":"` + name + `","value":""`) }
	for _, c := range []struct {
		name, raw string
		offset    int64
		want      string
	}{
		{"empty", "", 0, "printed no response"},
		{"blank", " \n", 0, "printed no response"},
		{"log first", "hello\n{\"status_code\":200}", 0, "Standard output carries only the response, but begins with `hello`. Print to standard error, which is the log."},
		{"log after", "{\"status_code\":200}\nbye", 20, "goes on after it with `bye`"},
		{"two", `{"status_code":200}{"status_code":200}`, 19, "goes on after it"},
		{"array", `[1]`, 0, "must be an object, but is an array"},
		{"string", `"x"`, 0, "begins with `\"x\"`"},
		{"bom", "\ufeff{}", 0, "begins with"},
		{"not UTF-8", "{\"status_code\":200,\"message\":\"\xff\"}", 30, "not UTF-8 at byte 30"},
		{"cut off", `{"status_code":200`, 18, "ends too early"},
		{"duplicate key", `{"status_code":200,"status_code":500}`, 19, "has the key `status_code` twice"},
		{"escaped duplicate", `{"status_code":200,"result":{"a":1,"\u0061":2}}`, 35, "twice"},
		{"deep", `{"status_code":200,"result":` + deep + `}`, 155, "nested"},
		{"no status", `{"message":"x"}`, 0, "has no status_code"},
		{"other case", `{"Status_Code":200}`, 0, "has no status_code"},
		{"status text", `{"status_code":"200"}`, 15, "whole number from 100 to 599"},
		{"status fraction", `{"status_code":200.5}`, 15, "whole number"},
		{"status low", `{"status_code":99}`, 15, "whole number"},
		{"status high", `{"status_code":600}`, 15, "whole number"},
		{"message number", `{"status_code":200,"message":1}`, 29, "message must be a string"},
		{"message long", `{"status_code":200,"message":"` + strings.Repeat("x", MaxMessage+1) + `"}`, 29, "at most 65536"},
		{"data object", `{"status_code":200,"data":{}}`, 26, "must be an array"},
		{"unknown type", op(`"type":"queue","name":"a","value":1`), 27, "unknown type `queue`"},
		{"no type", op(`"name":"a","value":1`), 27, "has no type"},
		{"no value", op(`"type":"db","name":"a"`), 27, "has no value"},
		{"no name", op(`"type":"db","value":1`), 27, "has no name"},
		{"unknown field", op(`"type":"db","name":"a","value":1,"ttl":5`), 67, "unknown field `ttl`"},
		{"ttl on db", op(`"type":"db","name":"a","value":1,"ttl_seconds":5`), 27, "only cache"},
		{"ttl zero", op(`"type":"cache","name":"a","value":1,"ttl_seconds":0`), 78, "seconds from 1"},
		{"encoding on db", op(`"type":"db","name":"a","value":1,"encoding":"json"`), 27, "only files"},
		{"bad base64", op(`"type":"file","name":"a","value":"?","encoding":"base64"`), 27, "base64"},
		{"twice", `{"status_code":200,"data":[{"type":"db","name":"a","value":1},{"type":"db","name":"a","value":2}]}`, 62, "repeats the db \"a\""},
		{"file twice", `{"status_code":200,"data":[{"type":"file","name":"a","value":1},{"type":"file","name":"A","value":2}]}`, 64, "repeats the file"},
		{"slash", file("a/b"), 27, "one path segment"},
		{"backslash", file(`a\\b`), 27, "one path segment"},
		{"parent", file(".."), 27, "is a folder"},
		{"NUL byte", file(`a\u0000`), 27, "control character"},
		{"device", file("nul.txt"), 27, "reserved on Windows"},
		{"port", file("COM1"), 27, "reserved on Windows"},
		{"stream", file("a:b"), 27, "cannot be written on Windows"},
		{"dot at the end", file("a."), 27, "ends with"},
		{"metric text", `{"status_code":200,"metrics":{"a":"1"}}`, 34, "must be a number"},
		{"metric huge", `{"status_code":200,"metrics":{"a":1e999}}`, 34, "must be a number"},
		{"error text", `{"status_code":500,"error":"x"}`, 27, "must be an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := DecodeResponse([]byte(c.raw))
			bad, ok := errors.AsType[*InvalidResponse](err)
			if !ok {
				t.Fatalf("accepted as %+v, %v", r, err)
			}
			if !strings.Contains(bad.Message, c.want) {
				t.Errorf("message %q lacks %q", bad.Message, c.want)
			}
			if bad.Offset != c.offset {
				t.Errorf("offset %d, want %d (%s)", bad.Offset, c.offset, bad.Message)
			}
		})
	}
}
