package broker

import (
	"encoding/json"
	"fmt"
	"strings"
)

// intent says what an operation of a dry run would have done. It was carried out as far as that: the request is sound
// and allowed.
func intent(op string, req []byte) string {
	switch op {
	case "http.fetch":
		var r fetchRequest
		_ = json.Unmarshal(req, &r) // it was read before
		return fmt.Sprintf("send %s %s with %d bytes", r.method(), r.URL, len(r.Body)+len(r.BodyBase64)/4*3)
	case "file.write", "file.delete":
		return fileIntent(op, req)
	case "exec.run", "script.run":
		return execIntent(op, req)
	case "artifact.put":
		return artifactIntent(req)
	}
	var r stateRequest
	_ = json.Unmarshal(req, &r)
	switch op {
	case "kv.set":
		return fmt.Sprintf("store %d bytes under the key %s", len(r.Value), r.Key)
	case "kv.delete":
		return "delete the key " + r.Key
	}
	return fmt.Sprintf("put %d bytes into the cache as %s", len(r.Value), r.Name)
}

func fileIntent(op string, req []byte) string {
	var r fileRequest
	_ = json.Unmarshal(req, &r)
	raw, _ := r.body()
	switch {
	case op == "file.delete":
		return "delete " + r.Path
	case r.Append:
		return fmt.Sprintf("append %d bytes to %s", len(raw), r.Path)
	}
	return fmt.Sprintf("write %d bytes to %s", len(raw), r.Path)
}

func execIntent(op string, req []byte) string {
	var r execRequest
	_ = json.Unmarshal(req, &r)
	if op == "script.run" {
		return fmt.Sprintf("run a script of %d bytes with %s", len(r.Text), r.Interpreter)
	}
	return "run the command " + strings.Join(append([]string{r.Name}, r.Args...), " ")
}
