//! Names of variables that make ordinary programs run code: a library's, a file's, or the
//! variable's own. A person who can add a secret must not run code in the workload by it.

/// Exact names, so that similar ones (`LD_SDK_KEY`, `GIT_TOKEN`) stay usable.
#[rustfmt::skip]
const NAMES: &[&[&str]] = &[
    // The loaders and the C libraries; what loads modules by a variable in other libraries.
    &[
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_ORIGIN_PATH", "LD_PROFILE",
        "LD_PROFILE_OUTPUT", "LD_DEBUG_OUTPUT", "LD_USE_LOAD_BIAS", "GCONV_PATH", "GETCONF_DIR",
        "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "MALLOC_TRACE",
        "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "PKCS11_MODULE_PATH", "KRB5_CONFIG",
        "SASL_PATH", "ODBCINI", "ODBCSYSINI", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GTK_MODULES",
        "GTK_PATH", "GDK_PIXBUF_MODULE_FILE", "GST_PLUGIN_PATH", "QT_PLUGIN_PATH",
        "QML2_IMPORT_PATH", "OMP_TOOL_LIBRARIES", "CUDA_INJECTION64_PATH",
        "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_STARTER_ADDRESS",
    ],
    // Where programs are found, and the files that they read when they start.
    &["PATH", "SHELL", "HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"],
    // Shells.
    &[
        "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "BASH_LOADABLES_PATH", "PROMPT_COMMAND",
        "PS0", "PS1", "PS2", "PS4", "CDPATH", "GLOBIGNORE", "ZDOTDIR", "FPATH", "NULLCMD",
        "READNULLCMD", "INPUTRC", "PSModulePath",
    ],
    // Python, Perl, Ruby.
    &[
        "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONUSERBASE",
        "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX", "PYTHONBREAKPOINT",
        "PYTHONWARNINGS", "PYTHON_PRESITE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS",
        "COVERAGE_PROCESS_START", "PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "PERL5SHELL",
        "PERLIO_DEBUG", "RUBYOPT", "RUBYLIB", "RUBYPATH", "RUBYSHELL", "RUBYGEMS_GEMDEPS",
        "BUNDLE_GEMFILE", "GEM_HOME", "GEM_PATH",
    ],
    // JavaScript.
    &[
        "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NPM_CONFIG_NODE_OPTIONS",
        "npm_config_node_options", "NPM_CONFIG_SCRIPT_SHELL", "npm_config_script_shell",
        "NPM_CONFIG_USERCONFIG", "npm_config_userconfig", "NPM_CONFIG_GLOBALCONFIG",
        "npm_config_globalconfig", "npm_execpath", "npm_node_execpath", "BUN_OPTIONS",
        "ELECTRON_RUN_AS_NODE", "TS_NODE_PROJECT",
    ],
    // Java and .NET.
    &[
        "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_JAVAC_OPTIONS",
        "IBM_JAVA_OPTIONS", "OPENJ9_JAVA_OPTIONS", "JAVA_OPTS", "JAVA_OPTIONS", "JVM_OPTS",
        "JAVA_HOME", "JRE_HOME", "CLASSPATH", "CATALINA_OPTS", "MAVEN_OPTS", "MAVEN_ARGS",
        "GRADLE_OPTS", "ANT_OPTS", "SBT_OPTS", "DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS",
        "DOTNET_SHARED_STORE", "DOTNET_ROOT", "CORECLR_PROFILER", "CORECLR_PROFILER_PATH",
        "CORECLR_PROFILER_PATH_64", "CORECLR_PROFILER_PATH_32", "CORECLR_ENABLE_PROFILING",
        "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "MONO_PATH", "MONO_GAC_PREFIX",
    ],
    // Other languages.
    &[
        "PHPRC", "PHP_INI_SCAN_DIR", "LUA_INIT", "LUA_INIT_5_2", "LUA_INIT_5_3", "LUA_INIT_5_4",
        "LUA_PATH", "LUA_CPATH", "ERL_LIBS", "ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS",
        "ELIXIR_ERL_OPTIONS", "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON", "R_ENVIRON_USER",
        "R_LIBS", "R_LIBS_USER", "R_HOME", "JULIA_LOAD_PATH", "JULIA_DEPOT_PATH", "TCLLIBPATH",
        "GUILE_LOAD_PATH", "GUILE_LOAD_COMPILED_PATH", "AWKPATH", "AWKLIBPATH",
        "CAML_LD_LIBRARY_PATH", "GOFLAGS", "GOTOOLCHAIN", "GOROOT", "RUSTC", "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "MAKEFLAGS", "GNUMAKEFLAGS", "MAKEFILES",
    ],
    // git and its like.
    &[
        "GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXEC_PATH", "GIT_ASKPASS", "GIT_EDITOR",
        "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND",
        "GIT_TEMPLATE_DIR", "GIT_DIR", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_ALLOW_PROTOCOL",
        "GIT_PROTOCOL_FROM_USER", "HG", "HGEDITOR", "HGRCPATH", "SVN_SSH", "SVN_EDITOR", "CVS_RSH",
        "CVSEDITOR",
    ],
    // What asks for passwords, connects, edits, pages and shows.
    &[
        "SSH_ASKPASS", "SSH_SK_PROVIDER", "SSH_SK_HELPER", "SSH_PKCS11_HELPER", "SUDO_ASKPASS",
        "RSYNC_RSH", "RSYNC_CONNECT_PROG", "RESTIC_PASSWORD_COMMAND", "RCLONE_PASSWORD_COMMAND",
        "BORG_PASSCOMMAND", "BORG_RSH", "EDITOR", "VISUAL", "SUDO_EDITOR", "KUBE_EDITOR",
        "SYSTEMD_EDITOR", "PSQL_EDITOR", "VIMINIT", "EXINIT", "VIM", "VIMRUNTIME", "EMACSLOADPATH",
        "PAGER", "MANPAGER", "SYSTEMD_PAGER", "PSQL_PAGER", "PSQLRC", "BAT_PAGER", "DELTA_PAGER",
        "LESS", "LESSOPEN", "LESSCLOSE", "LESSKEY", "LESSKEYIN", "LESSKEY_SYSTEM", "BROWSER",
        "KUBECTL_EXTERNAL_DIFF", "FZF_DEFAULT_COMMAND", "FZF_DEFAULT_OPTS", "RIPGREP_CONFIG_PATH",
        "TAR_OPTIONS", "ZIPOPT", "CURL_HOME", "WGETRC", "ANSIBLE_CONFIG",
    ],
];

/// Beginnings of names: bash's functions.
const BEGINNINGS: &[&str] = &["BASH_FUNC_"];

/// True for a variable that makes ordinary programs run code.
pub fn is_executing(name: &[u8]) -> bool {
    let mut names = NAMES.iter().copied().flatten();
    let mut beginnings = BEGINNINGS.iter();
    names.any(|known| known.as_bytes() == name)
        || beginnings.any(|known| name.starts_with(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{NAMES, is_executing};

    #[test]
    fn exact_names() {
        for name in ["LD_PRELOAD", "PATH", "BASH_ENV", "IFS", "BASH_FUNC_ls%%"] {
            assert!(is_executing(name.as_bytes()), "{name}");
        }
        for name in [
            "LD_SDK_KEY",
            "GIT_TOKEN",
            "PATHS",
            "path",
            "",
            "NODE_ENV",
            "HOMEPAGE",
        ] {
            assert!(!is_executing(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn no_name_stands_twice() {
        let all = NAMES.iter().copied().flatten();
        let set: BTreeSet<_> = all.clone().collect();
        assert_eq!(set.len(), all.count());
    }
}
