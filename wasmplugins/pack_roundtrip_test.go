package wasmplugins

import (
	"bytes"
	"testing"
)

// A packed module is the module and one section more. The positions that
// sections reports must not depend on the order in which Go evaluates the
// parts of a composite literal: {start: r.pos, id: r.byte()} reads r.pos last.
func TestPackKeepsEverySection(t *testing.T) {
	t.Parallel()
	raw := module(t, "noop")
	packed, err := Pack(raw, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"noop","version":"1.0.0","actions":[{"name":"run"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(packed, raw) {
		t.Errorf("packing changed the module:\n%x\n%x", raw, packed[:len(raw)])
	}
	if _, err := Check(packed, 0); err != nil {
		t.Errorf("the packed module is refused: %v", err)
	}
}
