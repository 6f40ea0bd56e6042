"""Settings for kinds of footage; docs/presets.md says what each promises."""
