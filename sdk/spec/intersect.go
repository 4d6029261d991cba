package spec

import (
	"path"
	"slices"
	"strings"
)

// Intersect returns what both allow: manifest ∩ grant ∩ policy. Reasons are
// c's. Defaults are written out, so that an empty list never widens.
func (c Capabilities) Intersect(o Capabilities) Capabilities {
	return Capabilities{
		HTTP:       intersectHTTP(c.HTTP, o.HTTP),
		Net:        intersectNet(c.Net, o.Net),
		Host:       common(c.Host, o.Host),
		Secrets:    intersectSecrets(c.Secrets, o.Secrets),
		KV:         intersectKV(c.KV, o.KV),
		Files:      intersectFiles(c.Files, o.Files),
		Env:        common(c.Env, o.Env),
		Exec:       intersectExec(c.Exec, o.Exec),
		Script:     intersectScript(c.Script, o.Script),
		UserParams: common(c.UserParams, o.UserParams),
	}
}

func intersectHTTP(a, b *HTTP) *HTTP {
	if a == nil || b == nil {
		return nil
	}
	out := HTTP{
		Hosts:     intersectHosts(rules(a.Hosts, webPorts), rules(b.Hosts, webPorts)),
		Addresses: intersectClasses(a.Addresses, b.Addresses),
		Methods:   common(a.methods(), b.methods()),
		Reason:    a.Reason,
	}
	if len(out.Hosts) == 0 || len(out.Addresses) == 0 || len(out.Methods) == 0 {
		return nil
	}
	return &out
}

func intersectNet(a, b *Net) *Net {
	if a == nil || b == nil {
		return nil
	}
	out := Net{
		Hosts:     intersectHosts(rules(a.Hosts, 0), rules(b.Hosts, 0)),
		Addresses: intersectClasses(a.Addresses, b.Addresses),
		Reason:    a.Reason,
	}
	if len(out.Hosts) == 0 || len(out.Addresses) == 0 {
		return nil
	}
	return &out
}

// common returns the elements of both; "*" stands for everything.
func common(a, b []string) []string {
	switch {
	case slices.Contains(a, "*"):
		return slices.Clone(b)
	case slices.Contains(b, "*"):
		return slices.Clone(a)
	}
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// MayRead says whether the guest may see the secret's value; the default is
// that only the host uses it.
func (s Secret) MayRead() bool { return s.Expose == "value" }

func intersectSecrets(a, b []Secret) []Secret {
	var out []Secret
	for _, x := range a {
		i := slices.IndexFunc(b, func(y Secret) bool { return y.Name == x.Name })
		if i < 0 {
			continue
		}
		if !b[i].MayRead() {
			x.Expose = "header"
		}
		x.Bind = b[i].Bind
		out = append(out, x)
	}
	return out
}

func intersectKV(a, b *KV) *KV {
	if a == nil || b == nil {
		return nil
	}
	out := *a
	if b.MaxBytes != 0 && (a.MaxBytes == 0 || b.MaxBytes < a.MaxBytes) {
		out.MaxBytes = b.MaxBytes
	}
	return &out
}

// Writable says whether the mode is rw.
func (f File) Writable() bool { return f.Mode == "rw" }

// under says whether a path is folder or within it.
func under(file, folder string) bool {
	_, ok := below(file, folder)
	return ok
}

// Below returns the way from the granted directory to an absolute path, with
// forward slashes, "." for the directory itself. It is false where the path is
// not within it, by its words: a symbolic link is for who opens it to follow.
func (f File) Below(file string) (rel string, ok bool) { return below(file, f.Path) }

// below compares element by element. Windows paths may have either slash, and
// are compared without case.
func below(file, folder string) (string, bool) {
	fold := isWindows(file) && isWindows(folder)
	if isWindows(file) != isWindows(folder) {
		return "", false
	}
	from, to := pathNames(folder, fold), pathNames(file, fold)
	if len(to) < len(from) {
		return "", false
	}
	for i, name := range from {
		if to[i] != name && !(fold && strings.EqualFold(to[i], name)) {
			return "", false
		}
	}
	if len(to) == len(from) {
		return ".", true
	}
	return strings.Join(to[len(from):], "/"), true
}

func isWindows(p string) bool { return len(p) >= 2 && p[1] == ':' || strings.HasPrefix(p, `\\`) }

// pathNames are the names of a cleaned path, from the top.
func pathNames(p string, windows bool) []string {
	if windows {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	return strings.FieldsFunc(path.Clean("/"+p), func(r rune) bool { return r == '/' })
}

func intersectFiles(a, b []File) []File {
	var out []File
	for _, x := range a {
		for _, y := range b {
			f := x
			switch {
			case under(x.Path, y.Path):
			case under(y.Path, x.Path):
				f.Path = y.Path
			default:
				continue
			}
			if !x.Writable() || !y.Writable() {
				f.Mode = "ro"
			}
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

func intersectExec(a, b []Exec) []Exec {
	var out []Exec
	for _, x := range a {
		if slices.ContainsFunc(b, func(y Exec) bool { return y.Name == x.Name || y.Name == "*" }) {
			out = append(out, x)
		} else if x.Name == "*" {
			out = append(out, b...)
		}
	}
	return out
}

func intersectScript(a, b *Script) *Script {
	if a == nil || b == nil {
		return nil
	}
	out := Script{Interpreters: common(a.Interpreters, b.Interpreters), Reason: a.Reason}
	if len(out.Interpreters) == 0 {
		return nil
	}
	return &out
}
