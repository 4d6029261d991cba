package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Kinds of record.
const (
	kindHeader byte = iota + 1
	kindAccepted
	kindStarted
	kindResult
	kindClosed
)

// maxBody is the most that one record holds: an offer or an inline result, with room to spare.
const maxBody = 1 << 20

// head is length of kind and body (4 bytes), then their CRC32C (4 bytes), little endian.
const head = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn says that the rest of the file is not a record.
var errTorn = errors.New("torn record")

type headerBody struct {
	ID string `json:"id"`
}

type startedBody struct {
	Key
	Attempt int `json:"a"`
}

func encode(kind byte, body []byte) []byte {
	record := make([]byte, head+1+len(body))
	binary.LittleEndian.PutUint32(record, uint32(1+len(body)))
	record[head] = kind
	copy(record[head+1:], body)
	binary.LittleEndian.PutUint32(record[4:], crc32.Checksum(record[head:], castagnoli))
	return record
}

// decode reads one record. At the clean end it returns io.EOF, at anything else that is no record errTorn. The
// body is valid until the next call with the same buffer.
func decode(r *bufio.Reader, buffer []byte) (kind byte, body, next []byte, err error) {
	var h [head]byte
	if _, err := io.ReadFull(r, h[:]); err == io.EOF {
		return 0, nil, buffer, io.EOF
	} else if err != nil {
		return 0, nil, buffer, errTorn
	}
	n := binary.LittleEndian.Uint32(h[:])
	if n == 0 || n > maxBody+1 {
		return 0, nil, buffer, errTorn
	}
	if uint32(cap(buffer)) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	if _, err := io.ReadFull(r, buffer); err != nil {
		return 0, nil, buffer, errTorn
	}
	if crc32.Checksum(buffer, castagnoli) != binary.LittleEndian.Uint32(h[4:]) {
		return 0, nil, buffer, errTorn
	}
	return buffer[0], buffer[1:], buffer, nil
}
