package views

import "strings"

// APIReference is the page that renders the OpenAPI document.
type APIReference struct {
	Page
	Query      string // what the filter box holds
	Operations int
	Groups     []APIGroup
	Types      []APIType
}

// APIGroup is what one tag holds.
type APIGroup struct {
	Name, About string
	Operations  []APIOperation
}

// APIOperation is one method of one path.
type APIOperation struct {
	ID, Method, Path, Summary, About string
	Params                           []APIField
	Body                             *APIBody
	Answers                          []APIBody
	Curl                             string
	Hidden                           bool // the filter leaves it out
}

// APIBody is what is sent, or with a Status what comes back. Media is "" where there is nothing.
type APIBody struct {
	Status, About, Media string
	Type                 APITypeName
	Fields               []APIField
}

// APIField is a parameter or a field of a body.
type APIField struct {
	Name, In, About, Limits, Example string
	Type                             APITypeName
	Must                             Must
}

// Must says that a field is never left out: by whom sends it, or by the server.
type Must string

// What a field must.
const (
	MayLack  Must = ""
	MustSend Must = "required"
	MustCome Must = "always"
)

// APITypeName is how a type reads; Ref is the named type that it is made of, or "".
type APITypeName struct{ Before, Ref, After string }

// APIType is one named type.
type APIType struct {
	Name, About string
	Fields      []APIField
}

// FilterText is what the filter box looks through.
func (o APIOperation) FilterText() string {
	return strings.ToLower(o.Method + " " + o.Path + " " + o.Summary + " " + o.ID)
}

// hidden says that the filter leaves nothing of a group.
func (g APIGroup) hidden() bool {
	for _, o := range g.Operations {
		if !o.Hidden {
			return false
		}
	}
	return true
}

// anchor is the id of a group on the page.
func (g APIGroup) anchor() string { return "tag-" + strings.ToLower(g.Name) }

// methodClass is the colour of a method: reading is calm, removing is not.
func methodClass(method string) string {
	switch method {
	case "GET":
		return "s-running"
	case "DELETE":
		return "s-failed"
	case "POST":
		return "s-ok"
	}
	return "s-warn"
}

func (m APIReference) nothing() bool {
	for _, g := range m.Groups {
		if !g.hidden() {
			return false
		}
	}
	return true
}
