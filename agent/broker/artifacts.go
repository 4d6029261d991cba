package broker

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// Artifacts keeps the files that a guest hands over with artifact.put. Names and sizes were checked before.
type Artifacts interface {
	// Put keeps a file, in place of one of that name.
	Put(name, mediaType string, body []byte) error
	// Append adds to a file that was put.
	Append(name string, body []byte) error
}

// kept are the files that an execution has handed over.
type kept struct {
	sizes map[string]int64 // by name
	total int64
}

type artifactRequest struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
	BodyBase64  string `json:"body_base64"`
	Append      bool   `json:"append"`
}

func (r artifactRequest) body() ([]byte, *Error) {
	if r.BodyBase64 == "" {
		return []byte(r.Body), nil
	}
	raw, err := base64.StdEncoding.DecodeString(r.BodyBase64)
	if err != nil || r.Body != "" {
		return nil, invalid("body_base64", "it must be standard base64, and there must not be a body beside it.")
	}
	return raw, nil
}

type artifactReply struct {
	Bytes int   `json:"bytes"`
	Size  int64 `json:"size"` // of the file afterwards
	Left  int64 `json:"left"` // bytes that the execution may still hand over
}

// artifactPut keeps a file with the execution. It needs no grant: nobody but the execution's readers sees it.
func (b *Broker) artifactPut(req []byte) (any, *Error) {
	if b.config.Artifacts == nil {
		return nil, errorf("unsupported_op", "The server takes no files from executions.")
	}
	var r artifactRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	if why := spec.BadFileName(r.Name); why != "" {
		return nil, errorf("invalid_request", "The file %s", why)
	}
	if octopus.IsHostArtifact(r.Name) {
		return nil, invalid("name", "Octopus keeps %s for a file of its own.", r.Name)
	}
	raw, failure := r.body()
	if failure != nil {
		return nil, failure
	}
	mediaType, failure := mediaTypeOf(r.ContentType, raw)
	if failure != nil {
		return nil, failure
	}
	return b.keep(r, mediaType, raw)
}

// keep counts a file and hands it on.
func (b *Broker) keep(r artifactRequest, mediaType string, raw []byte) (any, *Error) {
	k, most := &b.kept, cmp.Or(b.config.ArtifactBytes, wire.MaxArtifactBytes)
	old, known := k.sizes[r.Name]
	more := known && r.Append
	size := int64(len(raw))
	if more {
		size += old
	}
	total := k.total - old + size
	switch {
	case !known && len(k.sizes) >= wire.MaxArtifacts:
		return nil, errorf("quota", "An execution may hand over %d files, and these are used up.", wire.MaxArtifacts)
	case total > most:
		return nil, errorf("quota", "An execution may hand over %s of files; there is room for %d more bytes.", spec.Size(most), most-k.total)
	}
	if !b.config.DryRun {
		var err error
		if more {
			err = b.config.Artifacts.Append(r.Name, raw)
		} else {
			err = b.config.Artifacts.Put(r.Name, mediaType, raw)
		}
		if err != nil {
			return nil, fileError(r.Name, err)
		}
	}
	if k.sizes == nil {
		k.sizes = map[string]int64{}
	}
	k.sizes[r.Name], k.total = size, total
	return artifactReply{Bytes: len(raw), Size: size, Left: most - total}, nil
}

// Kinds of text that browsers show, in UTF-8.
const (
	plainText = "text/plain; charset=utf-8"
	plainCSV  = "text/csv; charset=utf-8"
	anyBytes  = "application/octet-stream"
)

// mediaTypeOf is the media type that a guest names, in one spelling, or a guess from the bytes.
func mediaTypeOf(named string, raw []byte) (string, *Error) {
	text := utf8.Valid(raw)
	if named == "" {
		if text {
			return plainText, nil
		}
		return anyBytes, nil
	}
	kind, params, err := mime.ParseMediaType(named)
	if err != nil || len(named) > wire.MaxMediaType || !strings.Contains(kind, "/") {
		return "", invalid("content_type", "%.100q is not a media type such as text/plain.", named)
	}
	if charset := params["charset"]; text && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		switch kind {
		case "text/plain":
			return plainText, nil
		case "text/csv":
			return plainCSV, nil
		}
	}
	out := mime.FormatMediaType(kind, params)
	if out == "" || len(out) > wire.MaxMediaType {
		return kind, nil
	}
	return out, nil
}

func artifactIntent(req []byte) string {
	var r artifactRequest
	_ = decode(req, &r) // it was read before
	raw, _ := r.body()
	return fmt.Sprintf("keep the file %s (%d bytes) with the execution", r.Name, len(raw))
}
