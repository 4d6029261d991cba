package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

// stored is a chunk on disk: a line of its CRC32C in hexadecimal, a space, and JSON. Files are not synced and begin
// anew when all in them was acknowledged: after a power cut a line may be half of the new file's and half of the old
// one's, and JSON all the same.
type stored struct {
	Seq     int64        `json:"seq"`
	Attempt int          `json:"attempt,omitempty"`
	Lines   []storedLine `json:"lines"`
}

type storedLine struct {
	At   int64  `json:"at"` // Unix milliseconds
	Text string `json:"text"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("a chunk of the log spool is damaged")

func encode(c stored) ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(raw, castagnoli), raw), nil
}

func decode(line []byte) (c stored, err error) {
	sum, raw, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if string(sum) != fmt.Sprintf("%08x", crc32.Checksum(raw, castagnoli)) || json.Unmarshal(raw, &c) != nil {
		return c, errDamaged
	}
	return c, nil
}
