package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"octopus/internal/wire"
)

// Record is one record of a journal's file.
type Record struct {
	Kind string // accepted, started, result or closed
	Key
	Attempt int          // started and result
	Result  *wire.Result // result
}

// Read lists what a journal's file still holds, closed executions included, oldest first, up to the first byte that
// is no record. It changes nothing, so the journal of a process that was killed can be looked at before the next one
// takes it over.
func Read(path string) ([]Record, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	var list []Record
	var buffer []byte
	for {
		kind, body, next, err := decode(r, buffer)
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			return list, nil
		}
		if err != nil {
			return list, fmt.Errorf("read journal: %w", err)
		}
		buffer = next
		if record, ok := recordOf(kind, body); ok {
			list = append(list, record)
		}
	}
}

func recordOf(kind byte, body []byte) (Record, bool) {
	switch kind {
	case kindAccepted:
		var o wire.Offer
		err := json.Unmarshal(body, &o)
		return Record{Kind: "accepted", Key: Key{o.Execution, o.Fence}}, err == nil
	case kindStarted:
		var s startedBody
		err := json.Unmarshal(body, &s)
		return Record{Kind: "started", Key: s.Key, Attempt: s.Attempt}, err == nil
	case kindResult:
		r := new(wire.Result)
		err := json.Unmarshal(body, r)
		return Record{Kind: "result", Key: Key{r.Execution, r.Fence}, Attempt: r.Attempt, Result: r}, err == nil
	case kindClosed:
		var k Key
		err := json.Unmarshal(body, &k)
		return Record{Kind: "closed", Key: k}, err == nil
	}
	return Record{}, false
}
