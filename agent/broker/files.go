package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
	"unicode/utf8"
)

// Caps of file.*.
const (
	readDefault = 1 << 20         // bytes of one file.read that names no number
	readMost    = 8 << 20         // bytes of one file.read
	listMost    = 1000            // entries of one file.list
	fileMost    = 1 << 30         // bytes that a file may grow to by file.write
	writeMost   = 64 << 20        // bytes that one execution may write
	fileWait    = 2 * time.Second // for a file that is none, such as some of /proc
)

type fileRequest struct {
	Path       string `json:"path"`
	Offset     int64  `json:"offset"`
	MaxBytes   int64  `json:"max_bytes"`
	Body       string `json:"body"`
	BodyBase64 string `json:"body_base64"`
	Append     bool   `json:"append"`
	Parents    bool   `json:"parents"`
	After      string `json:"after"`
	Limit      int    `json:"limit"`
}

type fileFacts struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"` // file, directory, symlink or other
	Size     int64     `json:"size"`
	Mode     string    `json:"mode"` // as in "rw-r--r--"
	Modified time.Time `json:"modified"`
}

func factsOfFile(info fs.FileInfo) fileFacts {
	f := fileFacts{Name: info.Name(), Type: "other", Size: info.Size(), Mode: info.Mode().Perm().String()[1:], Modified: info.ModTime().UTC()}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		f.Type = "file"
	case mode.IsDir():
		f.Type, f.Size = "directory", 0
	case mode&fs.ModeSymlink != 0:
		f.Type = "symlink"
	}
	return f
}

type readReply struct {
	Body       string    `json:"body,omitempty"`
	BodyBase64 string    `json:"body_base64,omitempty"`
	Offset     int64     `json:"offset"`
	Bytes      int       `json:"bytes"`
	Size       int64     `json:"size"`
	EOF        bool      `json:"eof"`
	Modified   time.Time `json:"modified"`
}

// file does one of file.read, file.write, file.list, file.stat and file.delete.
func (b *Broker) file(ctx context.Context, op string, req []byte) (any, *Error) {
	var r fileRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	if r.Offset < 0 || r.MaxBytes < 0 || r.Limit < 0 {
		return nil, invalid("offset", "offset, max_bytes and limit must not be negative.")
	}
	write := op == "file.write" || op == "file.delete"
	p, failure := b.place(r.Path, write)
	if failure != nil {
		return nil, failure
	}
	defer p.root.Close()
	switch op {
	case "file.read":
		return p.read(r)
	case "file.write":
		return b.writeFile(p, r)
	case "file.delete":
		return b.deleteFile(p)
	case "file.list":
		return p.list(ctx, r)
	}
	info, err := p.root.Stat(p.rel)
	if err != nil {
		return nil, fileError(p.path, err)
	}
	return factsOfFile(info), nil
}

// open opens a regular file. Nothing else is opened, because a pipe hangs, and a device does things.
func (p place) open(flag int) (*os.File, fs.FileInfo, *Error) {
	info, err := p.root.Stat(p.rel)
	if err == nil && info.Mode().IsRegular() {
		var f *os.File
		if f, err = p.root.OpenFile(p.rel, flag|nonblock, 0); err == nil {
			if info, err = f.Stat(); err == nil && info.Mode().IsRegular() {
				_ = f.SetDeadline(time.Now().Add(fileWait)) // real files have none, and need none
				return f, info, nil
			}
			f.Close()
		}
	}
	if err != nil {
		return nil, nil, fileError(p.path, err)
	}
	return nil, nil, notRegular(p.path, info)
}

func notRegular(file string, info fs.FileInfo) *Error {
	if info.IsDir() {
		return errorf("is_a_directory", "%s is a directory.", file)
	}
	return errorf("not_a_file", "%s is not a regular file; nothing else is opened.", file)
}

// read answers one page of a file. Text that a page would cut inside a character ends before it.
func (p place) read(r fileRequest) (any, *Error) {
	f, info, failure := p.open(os.O_RDONLY)
	if failure != nil {
		return nil, failure
	}
	defer f.Close()
	most := r.MaxBytes
	if most == 0 {
		most = readDefault
	}
	raw, err := readAt(f, r.Offset, min(most, readMost))
	if err != nil {
		return nil, fileError(p.path, err)
	}
	reply := readReply{Offset: r.Offset, Size: info.Size(), EOF: int64(len(raw)) <= min(most, readMost), Modified: info.ModTime().UTC()}
	raw = raw[:min(int64(len(raw)), most, readMost)]
	if !reply.EOF {
		raw = wholeRunes(raw)
	}
	if reply.Bytes = len(raw); utf8.Valid(raw) {
		reply.Body = string(raw)
	} else {
		reply.BodyBase64 = base64.StdEncoding.EncodeToString(raw)
	}
	return reply, nil
}

// readAt reads n bytes and one more, which says whether there are more.
func readAt(f *os.File, offset, n int64) ([]byte, error) {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, n+1))
}

// wholeRunes leaves out the begin of a character at the end of a text. What is no text stays as it is.
func wholeRunes(raw []byte) []byte {
	for cut := 1; cut < utf8.UTFMax && cut < len(raw); cut++ {
		head := raw[:len(raw)-cut]
		if utf8.RuneStart(raw[len(raw)-cut]) {
			if !utf8.FullRune(raw[len(raw)-cut:]) && utf8.Valid(head) {
				return head
			}
			break
		}
	}
	return raw
}

type listReply struct {
	Entries []fileFacts `json:"entries"`
	More    bool        `json:"more"`
}

// list answers the entries of a directory by name, after one of them. However many there are, few are in memory.
func (p place) list(ctx context.Context, r fileRequest) (any, *Error) {
	info, err := p.root.Stat(p.rel)
	if err != nil {
		return nil, fileError(p.path, err)
	}
	if !info.IsDir() {
		return nil, errorf("not_a_directory", "%s is not a directory.", p.path)
	}
	dir, err := p.root.OpenRoot(p.rel)
	if err != nil {
		return nil, fileError(p.path, err)
	}
	defer dir.Close()
	limit := r.Limit
	if limit == 0 || limit > listMost {
		limit = listMost
	}
	names, err := smallest(ctx, dir, r.After, limit+1)
	if err != nil {
		return nil, fileError(p.path, err)
	}
	reply := listReply{Entries: []fileFacts{}, More: len(names) > limit}
	for _, name := range names[:min(len(names), limit)] {
		if info, err := dir.Lstat(name); err == nil { // one that is gone meanwhile is left out
			reply.Entries = append(reply.Entries, factsOfFile(info))
		}
	}
	return reply, nil
}

// smallest are the first n names in a directory that come after one.
func smallest(ctx context.Context, dir *os.Root, after string, n int) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	for {
		batch, err := f.Readdirnames(1024)
		for _, name := range batch {
			if name > after && utf8.ValidString(name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		names = names[:min(len(names), n)]
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
}
