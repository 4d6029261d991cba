package web

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// offences lists what in a page its content security policy would block, and what breaks its structure.
func offences(page string) (out []string) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return []string{err.Error()}
	}
	ids := make(map[string]bool)
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.DataAtom == atom.Style || n.DataAtom == atom.Script && attr(n, "src") == "" {
			out = append(out, "inline "+n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
				out = append(out, "attribute "+a.Key+" of "+n.Data)
			}
			if slices.Contains([]string{"href", "src", "action"}, a.Key) && strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
				out = append(out, "javascript in "+n.Data)
			}
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				out = append(out, "two elements have the id "+id)
			}
			ids[id] = true
		}
		out = append(out, unnamed(n)...)
	}
	for n := range root.Descendants() {
		for _, key := range []string{"for", "aria-labelledby", "aria-describedby"} {
			for _, id := range strings.Fields(attr(n, key)) {
				if !ids[id] {
					out = append(out, key+" names "+id+", which is not there")
				}
			}
		}
	}
	return out
}

// unnamed finds controls that a screen reader could not name.
func unnamed(n *html.Node) []string {
	switch n.DataAtom {
	case atom.Button, atom.A:
		if attr(n, "aria-label") == "" && strings.TrimSpace(textOf(n)) == "" {
			return []string{n.Data + " without a name"}
		}
	case atom.Img:
		if !has(n, "alt") {
			return []string{"image without alt"}
		}
	}
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func textOf(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return out.String()
}

// TestOffences checks the checker.
func TestOffences(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]int{
		`<p id="a">fine</p><script src="/x.js"></script>`:  0,
		`<p style="color:red">x</p>`:                       1,
		`<script>x()</script>`:                             1,
		`<button onclick="x()">x</button><a href="/"></a>`: 2,
		`<p id="a"></p><p id="a"></p>`:                     1,
		`<label for="gone">x</label>`:                      1,
	} {
		if got := offences(page); len(got) != want {
			t.Errorf("%s: %v", page, got)
		}
	}
}
