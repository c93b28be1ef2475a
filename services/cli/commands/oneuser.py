"""oneuser: users."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import USER
from services.cli.subs import XML, delete_sub, list_sub, quota_subs, show_sub, top_sub, update_sub

_LIST = "services.cli.views.user:LIST"
_HANDLERS = "services.cli.commands.user_handlers"
_TOKENS = "services.cli.commands.user_tokens"
_KEY = Opt("key", "private key of the user, an RSA key in PEM form", "path_to_private_key_pem", "k")
_CERT = Opt("cert", "certificate of the user (X509_USER_CERT)", "path_to_user_cert_pem", "c")
_SSH = Opt("ssh", "driver ssh: an RSA key")
_X509 = Opt("x509", "driver x509: a certificate")
_PASSWORD_OPTIONS = (
    Opt("read-file", "the password argument names a file that holds it", short="r"),
    Opt("sha256", "send the password's SHA-256 instead of itself"),
    _SSH,
    _X509,
    _KEY,
    _CERT,
    Opt("driver", "driver that checks the credentials (core)", "driver"),
)
_LOGIN_OPTIONS = (
    _SSH,
    _X509,
    Opt("x509_proxy", "driver x509: a proxy certificate"),
    _KEY,
    _CERT,
    Opt("proxy", "proxy certificate of the user (X509_PROXY_CERT)", "path_to_user_proxy_pem"),
    Opt("time", "seconds that the token is valid (36000); -1 for ever, 0 ends it", "x", type="integer"),
    Opt("force", "overwrite the credentials file without asking"),
    Opt("group", "the token acts in this group alone", "id|name", type="groupid"),
    Opt("stdin_password", "read the password from standard input"),
)
_SET_OPTIONS = (
    Opt("token", "the token that starts so", "token_hint"),
    Opt("global", "the longest-lived token of all groups"),
)


COMMAND = Command(
    "oneuser",
    USER,
    "manages users",
    [
        Sub(
            "create",
            "username:name [password:text]",
            "add a user; without a password it is asked for",
            options=(
                Opt("group", "groups, the first is the primary one", "id|name", type="groupid_list"),
                *_PASSWORD_OPTIONS,
            ),
            run=f"{_HANDLERS}:create",
        ),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(USER, "services.cli.views.user:show", optional=True, options=()),
        delete_sub(USER),
        update_sub(USER),
        *quota_subs(USER),
        Sub(
            "umask",
            "userid_list [mask]",
            "set the rights that new objects lack, as 077; without a mask the default counts again",
            run=f"{_HANDLERS}:umask",
            done="umask changed",
        ),
        Sub(
            "passwd",
            "userid [password:text]",
            "change the password; without one it is asked for",
            options=_PASSWORD_OPTIONS,
            run=f"{_HANDLERS}:passwd",
            done="Password changed",
        ),
        Sub(
            "chauth",
            "userid [auth:text] [password:text]",
            "change the driver that checks the credentials, and the password when given",
            options=_PASSWORD_OPTIONS,
            run=f"{_HANDLERS}:chauth",
            done="Auth driver and password changed",
        ),
        Sub(
            "chgrp",
            "userid_list groupid",
            "change the primary group",
            call=("user.chgrp", ID, Arg("groupid")),
            done="Group changed",
        ),
        Sub(
            "addgroup",
            "userid_list groupid",
            "add a secondary group",
            call=("user.addgroup", ID, Arg("groupid")),
            done="group added",
        ),
        Sub(
            "delgroup",
            "userid_list groupid",
            "take out of a secondary group",
            call=("user.delgroup", ID, Arg("groupid")),
            done="group deleted",
        ),
        Sub("enable", "userid_list", "let them log in", call=("user.enable", ID, True), done="enabled"),
        Sub(
            "disable",
            "userid_list",
            "keep them from logging in",
            call=("user.enable", ID, False),
            done="disabled",
        ),
        Sub(
            "login",
            "[username:name]",
            "make a login token and keep it as credentials (the same as token-create)",
            options=_LOGIN_OPTIONS,
            run=f"{_TOKENS}:create",
        ),
        Sub(
            "token-create",
            "[username:name]",
            "make a login token and keep it in ONE_AUTH, or ~/.one/one_auth",
            options=_LOGIN_OPTIONS,
            run=f"{_TOKENS}:create",
        ),
        Sub(
            "token-set",
            "[username:name]",
            "write a credentials file for a token that exists; prints the variables that use it",
            options=(*_LOGIN_OPTIONS, *_SET_OPTIONS),
            run=f"{_TOKENS}:use",
        ),
        Sub(
            "token-delete",
            "[username:name] token:text",
            "end a token, named by its first characters",
            options=_LOGIN_OPTIONS,
            run=f"{_TOKENS}:delete",
        ),
        Sub(
            "token-delete-all",
            "username:name",
            "end every token of a user",
            options=_LOGIN_OPTIONS,
            run=f"{_TOKENS}:delete_all",
            done="Tokens expired",
        ),
        Sub(
            "key",
            "",
            "print the public key of a private key: the password of an ssh user",
            options=(_KEY,),
            run=f"{_HANDLERS}:key",
        ),
        Sub(
            "encode",
            "username:name [password:text]",
            "print credentials with special characters encoded, for a credentials file",
            run=f"{_HANDLERS}:encode",
        ),
        Sub(
            "passwdsearch",
            "driver:name password:text",
            "list the users of a driver with that stored password",
            options=(Opt("csv", "print comma-separated values"), XML),
            run=f"{_HANDLERS}:search",
            view=_LIST,
        ),
    ],
)
