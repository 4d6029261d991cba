package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what an attempt leaves behind.
const (
	MaxArtifacts     = 100      // files of one attempt
	MaxArtifactBytes = 16 << 20 // bytes of all of them; [Offer.ArtifactBytes] may say less
	MaxMediaType     = 127      // bytes, as RFC 6838 has it
)

// Artifact is a file that a plugin handed over while it ran.
type Artifact struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Size      int    `json:"size"`
	Data      []byte `json:"-"`
}

// EncodeArtifacts makes the upload that [Result.ArtifactsSHA256] names: a JSON list of name, media type and size in
// the order of the data, a line feed, and the data of each.
func EncodeArtifacts(list []Artifact) ([]byte, error) {
	total := 0
	for i := range list {
		list[i].Size = len(list[i].Data)
		total += list[i].Size
	}
	head, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode artifacts: %w", err)
	}
	out := make([]byte, 0, len(head)+1+total)
	out = append(append(out, head...), '\n')
	for _, a := range list {
		out = append(out, a.Data...)
	}
	return out, nil
}

// DecodeArtifacts reads such an upload. Data is a part of raw. Too many, too large, a name that comes twice and a
// list that does not fit the data are errors; whether a name is a file's is for the caller to judge.
func DecodeArtifacts(raw []byte) ([]Artifact, error) {
	d := json.NewDecoder(strings.NewReader(headOf(raw)))
	var list []Artifact
	if err := d.Decode(&list); err != nil {
		return nil, errors.New("artifacts: the list is malformed")
	}
	at := int(d.InputOffset())
	if at >= len(raw) || raw[at] != '\n' {
		return nil, errors.New("artifacts: the list does not end")
	}
	rest := raw[at+1:]
	if len(list) > MaxArtifacts || len(rest) > MaxArtifactBytes {
		return nil, fmt.Errorf("artifacts: %d files of %d bytes are over the limit", len(list), len(rest))
	}
	seen := make(map[string]struct{}, len(list))
	for i := range list {
		a := &list[i]
		if _, twice := seen[a.Name]; twice || a.Name == "" {
			return nil, fmt.Errorf("artifacts: two files are named %.100q", a.Name)
		}
		seen[a.Name] = struct{}{}
		if a.Size < 0 || a.Size > len(rest) || !validMediaType(a.MediaType) {
			return nil, fmt.Errorf("artifacts: the size or media type of %.100q cannot be", a.Name)
		}
		a.Data, rest = rest[:a.Size:a.Size], rest[a.Size:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("artifacts: %d bytes belong to no file", len(rest))
	}
	return list, nil
}

// headOf is the first line of raw, with its end.
func headOf(raw []byte) string {
	const longest = MaxArtifacts * 4 << 10
	raw = raw[:min(len(raw), longest)]
	for i, b := range raw {
		if b == '\n' {
			return string(raw[:i+1])
		}
	}
	return string(raw)
}

// validMediaType accepts printable text of a length that media types have.
func validMediaType(m string) bool {
	return len(m) <= MaxMediaType && utf8.ValidString(m) && !strings.ContainsFunc(m, func(r rune) bool { return !unicode.IsPrint(r) })
}
