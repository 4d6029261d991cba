package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// User is a person who signs in.
type User struct {
	ID             string    `json:"id"`
	Username       string    `json:"username"`
	Email          string    `json:"email,omitempty"`
	DisplayName    string    `json:"display_name,omitempty"`
	Role           string    `json:"role" enum:"viewer,user,operator,admin"`
	Active         bool      `json:"active"`
	Zone           string    `json:"zone,omitempty" doc:"IANA time zone; UTC when left out."`
	Theme          string    `json:"theme,omitempty" enum:",light,dark"`
	CreatedAt      time.Time `json:"created_at"`
	LastLogin      time.Time `json:"last_login,omitzero"`
	FailedAttempts int       `json:"failed_attempts,omitempty"`
	DelayedUntil   time.Time `json:"delayed_until,omitzero" doc:"Sign-in is refused until then."`
}

// Me is who is calling, as GET /me answers.
type Me struct {
	User
	Params        map[string]json.RawMessage `json:"params,omitempty" doc:"One's own parameters by category, for plugins that may read them."`
	EffectiveRole string                     `json:"effective_role" doc:"Of this call: a token may hold less than its user."`
	TokenID       string                     `json:"token_id,omitempty"`
}

// NewUser is the body of POST /users.
type NewUser struct {
	Username    string `json:"username" minLength:"1" maxLength:"64" doc:"Lower case: letters, digits, dot, dash and underscore."`
	Password    string `json:"password" minLength:"1" maxLength:"1024" format:"password" writeOnly:"true" doc:"At least 10 characters."`
	Email       string `json:"email,omitempty" maxLength:"254"`
	DisplayName string `json:"display_name,omitempty" maxLength:"128"`
	Role        string `json:"role" enum:"viewer,user,operator,admin"`
}

// UserPatch is the body of PATCH /users/{id}: a merge patch, nil leaves a field alone.
type UserPatch struct {
	Email       *string `json:"email,omitempty" maxLength:"254"`
	DisplayName *string `json:"display_name,omitempty" maxLength:"128"`
	Password    *string `json:"password,omitempty" minLength:"1" maxLength:"1024" format:"password" writeOnly:"true"`
	Zone        *string `json:"zone,omitempty" maxLength:"64"`
	Theme       *string `json:"theme,omitempty" enum:",light,dark"`
	Role        *string `json:"role,omitempty" enum:"viewer,user,operator,admin"`
	Active      *bool   `json:"active,omitempty"`
}

// MePatch is the body of PATCH /me.
type MePatch struct {
	Email       *string         `json:"email,omitempty" maxLength:"254"`
	DisplayName *string         `json:"display_name,omitempty" maxLength:"128"`
	Zone        *string         `json:"zone,omitempty" maxLength:"64"`
	Theme       *string         `json:"theme,omitempty" enum:",light,dark"`
	Params      json.RawMessage `json:"params,omitempty" doc:"An object for each category that is to be replaced, null removes one; the others stay."`
}

// ChangePassword is the body of POST /me/password.
type ChangePassword struct {
	Old string `json:"old" maxLength:"1024" format:"password" writeOnly:"true"`
	New string `json:"new" minLength:"1" maxLength:"1024" format:"password" writeOnly:"true"`
}

// NewToken is the body of POST /tokens.
type NewToken struct {
	Name       string  `json:"name" minLength:"1" maxLength:"128"`
	Role       string  `json:"role,omitempty" enum:"viewer,user,operator,admin" doc:"At most one's own. Left out: one's own."`
	TTLSeconds float64 `json:"ttl_seconds,omitempty" minimum:"0" maximum:"315360000" doc:"Left out: it never expires."`
}

// Token lets a program call the API as its user.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Secret    string    `json:"secret,omitempty" doc:"Shown once, when it is made."`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	LastUsed  time.Time `json:"last_used,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// LoginLink signs its user in once, in a browser on the server's own machine.
type LoginLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Me tells who the token belongs to and what it may do.
func (c *Client) Me(ctx context.Context) (me Me, err error) {
	err = c.do(ctx, "GET", "/me", nil, nil, &me)
	return me, err
}

// UpdateMe changes one's own profile.
func (c *Client) UpdateMe(ctx context.Context, p MePatch) (me Me, err error) {
	err = c.do(ctx, "PATCH", "/me", nil, p, &me)
	return me, err
}

// ChangePassword changes one's own password and ends one's other sessions.
func (c *Client) ChangePassword(ctx context.Context, p ChangePassword) error {
	return c.do(ctx, "POST", "/me/password", nil, p, nil)
}

// LoginLink makes a link that signs the token's user in. The token must hold the whole role of its user.
func (c *Client) LoginLink(ctx context.Context) (link LoginLink, err error) {
	err = c.do(ctx, "POST", "/me/login-link", nil, nil, &link)
	return link, err
}

// Users lists the users.
func (c *Client) Users(ctx context.Context) (page Page[User], err error) {
	err = c.do(ctx, "GET", "/users", nil, nil, &page)
	return page, err
}

// User returns a user by id or name.
func (c *Client) User(ctx context.Context, idOrName string) (u User, err error) {
	err = c.do(ctx, "GET", path("users", idOrName), nil, nil, &u)
	return u, err
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, u NewUser, options ...CallOption) (user User, err error) {
	err = c.do(ctx, "POST", "/users", nil, u, &user, options...)
	return user, err
}

// UpdateUser changes a user.
func (c *Client) UpdateUser(ctx context.Context, idOrName string, p UserPatch) (user User, err error) {
	err = c.do(ctx, "PATCH", path("users", idOrName), nil, p, &user)
	return user, err
}

// DeleteUser removes a user with its sessions and tokens.
func (c *Client) DeleteUser(ctx context.Context, idOrName string) error {
	return c.do(ctx, "DELETE", path("users", idOrName), nil, nil, nil)
}

// CreateToken makes an API token of one's own. Its Secret is shown only now.
func (c *Client) CreateToken(ctx context.Context, t NewToken, options ...CallOption) (token Token, err error) {
	err = c.do(ctx, "POST", "/tokens", nil, t, &token, options...)
	return token, err
}

// Tokens lists one's own API tokens.
func (c *Client) Tokens(ctx context.Context) (page Page[Token], err error) {
	err = c.do(ctx, "GET", "/tokens", nil, nil, &page)
	return page, err
}

// RevokeToken ends an API token at once.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, "DELETE", path("tokens", id), nil, nil, nil)
}
