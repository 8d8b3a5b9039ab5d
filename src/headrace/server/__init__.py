"""The running application: settings from the environment, URLs, the web process, and the checks of `headrace doctor`."""
