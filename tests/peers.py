"""Every test of WhiteNoise and ServeStatic by its name, and what answers it here.

The names are those of WhiteNoise's sdist and of ServeStatic's repository, whose sdist has no tests: at its release
4.1.0, and what could be read of the time after. Neither is installed with its tests, so they stand here. A name that
several files have asks the same in each.
"""

from __future__ import annotations

from typing import NamedTuple


class Otherwise(NamedTuple):
    """Answered, and not as there: what they ask, what is given here and why, and the test that shows it."""

    asked: str
    given: str
    test: str


class NotAsked(NamedTuple):
    """What makes no sense here, and why."""

    why: str


NAMES: dict[str, dict[str, str]] = {
    "WhiteNoise 6.12.0": {
        "test_compress.py": """
            compresses_file doesnt_compress_if_no_saving ignores_other_extensions mtime_is_preserved
            with_custom_extensions with_falsey_extensions custom_log compress compressed_effectively_no_orig_size
            main_error
        """,
        "test_django_whitenoise.py": """
            get_root_file versioned_file_cached_forever unversioned_file_not_cached_forever get_gzip get_brotli
            no_content_type_when_not_modified get_nonascii_file no_content_disposition_header
            file_served_from_static_dir non_ascii_requests_safely_ignored requests_for_directory_safely_ignored
            index_file_served_at_directory_path index_file_path_redirected
            directory_path_without_trailing_slash_redirected whitenoise_file_response_has_only_one_header
            relative_static_url force_script_name
        """,
        "test_media_types.py": """
            matched_filename matched_filename_cased matched_extension unmatched_extension extra_types
        """,
        "test_responders.py": "close_does_not_rerun_on_del",
        "test_runserver_nostatic.py": "command_output",
        "test_storage.py": """
            compressed_static_files_storage compressed_static_files_storage_dry_run make_helpful_exception
            unversioned_files_are_deleted manifest_file_is_left_in_place manifest_strict_attribute_is_set
        """,
        "test_string_utils.py": "none empty slash contents leading trailing",
        "test_whitenoise.py": """
            get_file get_not_accept_gzip get_accept_star get_accept_missing get_accept_gzip
            cannot_directly_request_gzipped_file not_modified_exact not_modified_future modified
            modified_mangled_date_firefox_91_0b3 etag_matches etag_doesnt_match etag_overrules_modified_since max_age
            other_requests_passed_through non_ascii_requests_safely_ignored add_under_prefix
            response_has_allow_origin_header response_has_correct_content_length_header
            gzip_response_has_correct_content_length_header post_request_returns_405 head_request_has_no_body
            custom_mimetype custom_headers index_file_served_at_directory_path index_file_path_redirected
            directory_path_without_trailing_slash_redirected request_initial_bytes request_trailing_bytes
            request_middle_bytes overlong_ranges_truncated overlong_trailing_ranges_return_entire_file
            out_of_range_error warn_about_missing_directories handles_missing_path_info_key
            cant_read_absolute_paths_on_windows no_error_on_very_long_filename immutable_file_test_accepts_regex
            directory_path_can_be_pathlib_instance last_modified_not_set_when_mtime_is_zero
            file_size_matches_range_with_range_header chunked_file_size_matches_range_with_range_header
            path_is_child_of
        """,
    },
    "ServeStatic 4.1.0": {
        "test_asgi.py": """
            get_js_static_file redirect_preserves_query_string user_app ws_scope lifespan_scope head_request
            small_block_size request_range_response out_of_range_error wrong_method_type large_static_file
            async_file_del_does_not_join_current_thread async_file_read_raises_after_close
            async_file_read_raises_when_lazy_open_returns_none async_file_seek_raises_when_lazy_open_returns_none
            async_file_shutdown_exception_is_ignored asgi_initialize_preserves_user_application
            asgi_symlink_escape_is_blocked_by_default asgi_symlink_escape_can_be_enabled
        """,
        "test_cli.py": """
            cli_missing_args cli_invalid_src cli_hash_basic cli_hash_no_copy_original cli_compress_basic cli_exclude
            cli_hash_and_compress cli_all cli_manifest_only cli_hash_only cli_copy_original_behavior cli_quiet
            cli_clear cli_clear_same_dir cli_same_dir_without_clear cli_merge_manifest_success
            cli_merge_manifest_preserves_top_level_values cli_merge_manifest_missing cli_merge_manifest_invalid_object
            cli_merge_manifest_invalid_paths_object cli_merge_manifest_invalid_json cli_hash_logs_worker_errors
            cli_compress_logs_worker_errors cli_passes_zstd_options_to_compressor
        """,
        "test_compress.py": """
            compresses_file doesnt_compress_if_no_saving ignores_other_extensions mtime_is_preserved
            with_custom_extensions with_falsey_extensions custom_log compress compressed_effectively_no_orig_size
            main_error compress_brotli_raises_when_dependency_missing compress_zstd_raises_when_dependency_missing
            compressor_rejects_dictionary_when_zstd_is_unavailable compress_generates_zstd_with_dictionary
            load_zstd_dictionary_raises_when_module_missing load_zstd_dictionary_from_bytes_uses_zstd_dict
            load_zstd_dictionary_returns_prebuilt_object
        """,
        "test_django_servestatic.py": """
            get_root_file get_root_file_no_manifest versioned_file_cached_forever
            asgi_versioned_file_cached_forever_brotli asgi_versioned_file_cached_forever_brotli_2
            unversioned_file_not_cached_forever get_gzip get_brotli asgi_get_zstd asgi_get_zstd_2
            no_content_type_when_not_modified get_nonascii_file no_content_disposition_header
            file_served_from_static_dir file_served_from_static_dir_no_manifest non_ascii_requests_safely_ignored
            requests_for_directory_safely_ignored index_file_served_at_directory_path
            index_file_served_at_directory_path_no_manifest index_file_path_redirected
            directory_path_without_trailing_slash_redirected servestatic_file_response_has_only_one_header
            async_serve_static_file_response_set_headers_noop middleware_requires_async_get_response
            django_check_reports_gzip_middleware_order_error django_check_accepts_correct_gzip_middleware_order
            django_check_reports_invalid_setting_types django_check_accepts_valid_setting_values
            django_check_reports_skip_compress_extensions_non_string_items
            django_check_reports_mimetypes_non_mapping_value django_check_reports_mimetypes_non_string_key
            django_check_accepts_boolean_setting_values django_check_accepts_zstd_dictionary_object
            django_check_reports_immutable_file_test_invalid_type middleware_warns_when_servestatic_app_is_missing
            middleware_does_not_warn_for_legacy_servestatic_app middleware_blocks_symlink_escape_by_default
            middleware_can_enable_symlink_escape middleware_blocks_finder_symlink_escape_in_autorefresh
            add_files_from_manifest_raises_when_storage_has_no_manifest
            add_files_from_manifest_uses_manifest_stats_and_handles_empty_location
            add_files_from_manifest_uses_none_stat_cache_when_not_compressed_storage
            add_files_from_manifest_ignores_empty_manifest_stats
            middleware_adds_files_from_static_root_when_manifest_and_finders_disabled
            candidate_paths_for_url_finder_miss_still_falls_back candidate_paths_for_url_skips_finders_when_disabled
            relative_static_url 404_in_prod error_message error_message_preserves_missing_path_after_prefix
            force_script_name force_script_name_with_matching_static_url range_response asgi_range_response
            asgi_range_response_2 out_of_range_error asgi_out_of_range_error asgi_out_of_range_error_2
            large_static_file large_static_file_2 manifest_with_keep_only_hashed manifest_with_keep_only_hashed_2
        """,
        "test_manifest_hash.py": """
            generate_hash hash_path get_hashed_name get_hashed_name_from_file
            process_skips_copy_when_hashed_name_matches_input
        """,
        "test_media_types.py": """
            matched_filename matched_filename_cased matched_extension matched_extension_html unmatched_extension
            extra_types
        """,
        "test_runserver_nostatic.py": """
            command_output find_fallback_runserver_command_returns_none_when_no_imports_work
            iter_lower_priority_apps_yields_remaining_apps_and_django_core
            command_add_arguments_handles_empty_description_without_toggling_false_default
            legacy_module_aliases_canonical_command_exports legacy_alias_app_config_points_to_runserver_nostatic_path
            legacy_alias_app_config_ready_emits_deprecation_warning
        """,
        "test_servestatic.py": """
            get_file get_not_accept_gzip get_accept_star get_accept_missing get_accept_gzip
            cannot_directly_request_gzipped_file not_modified_exact not_modified_future modified
            modified_mangled_date_firefox_91_0b3 etag_matches etag_doesnt_match etag_overrules_modified_since max_age
            other_requests_passed_through non_ascii_requests_safely_ignored add_under_prefix
            response_has_allow_origin_header response_has_correct_content_length_header
            gzip_response_has_correct_content_length_header post_request_returns_405 head_request_has_no_body
            custom_mimetype custom_headers index_file_served_at_directory_path index_file_path_redirected
            index_file_path_redirected_with_query_string directory_path_without_trailing_slash_redirected
            request_initial_bytes request_trailing_bytes request_middle_bytes overlong_ranges_truncated
            overlong_trailing_ranges_return_entire_file out_of_range_error warn_about_missing_directories
            handles_missing_path_info_key cant_read_absolute_paths_on_windows no_error_on_very_long_filename
            symlink_escape_is_blocked_by_default symlink_escape_can_be_enabled immutable_file_test_accepts_regex
            immutable_file_test_defaults_to_cli_hash_pattern directory_path_can_be_pathlib_instance
            base_init_accepts_string_index_file base_initialize_requires_override
            find_file_returns_none_for_trailing_slash_without_index_file
            find_file_at_path_without_index_file_returns_static_file
            find_file_at_path_index_file_missing_raises_missing_file_error url_is_canonical_rejects_backslashes
            path_is_within_returns_false_when_commonpath_raises_value_error
            path_within_root_normalizes_drive_root_separator is_compressed_variant_detects_zstd_suffix_with_cache
            immutable_file_test_supports_callable redirect_raises_for_unhandled_pattern
            add_cache_headers_omits_header_when_max_age_none
            get_static_file_omits_allow_all_origins_header_when_disabled get_static_file_prefers_zstd_when_requested
            last_modified_not_set_when_mtime_is_zero static_file_range_requires_content_length_header
            static_file_async_range_requires_content_length_header
            parse_byte_range_rejects_invalid_units_and_missing_separator parse_byte_range_requires_dash_separator
            get_path_and_headers_raises_when_no_alternatives_match
            get_range_not_satisfiable_response_closes_file_handle
            get_range_not_satisfiable_response_allows_none_file_handle get_range_response_keeps_none_file_handle
            get_async_range_response_keeps_none_file_handle get_headers_preserves_existing_last_modified_and_etag
            file_entry_reraises_unexpected_oserror file_entry_rejects_non_regular_non_directory_file
            file_size_matches_range_with_range_header single_byte_range_is_supported
            chunked_file_size_matches_range_with_range_header redirect_preserves_query_string user_app
        """,
        "test_storage.py": """
            compressed_static_files_storage compressed_static_files_storage_dry_run make_helpful_exception
            unversioned_files_are_deleted manifest_file_is_left_in_place manifest_strict_attribute_is_set
            storage_stat_static_root_none_returns_empty storage_load_manifest_stats_none_content
            storage_load_manifest_stats_invalid_json_raises storage_delete_files_reraises_non_enoent_errors
            storage_hashed_name_tracks_new_files storage_hashed_name_without_tracking_does_not_record
            storage_make_helpful_exception_returns_original_for_non_matching_message
            storage_make_helpful_exception_returns_original_for_non_value_error
            storage_post_process_dry_run_skips_compression
            storage_post_process_with_compression_handles_items_without_hashed_name
        """,
        "test_string_utils.py": "none empty slash contents leading trailing",
    },
    "ServeStatic after 4.1.0": {
        "test_django_servestatic.py": """
            django_check_warns_for_deprecated_servestatic_runserver_nostatic_app
            django_check_does_not_warn_for_canonical_servestatic_app manifest_with_keep_only_hashed_query_string
            django_compressor_files_served_when_use_manifest_true
            django_compressor_files_served_when_use_manifest_true_2 static_file_range_without_content_length
            static_file_arange_without_content_length aserve_with_none_header get_static_url_value_error
        """,
        "test_trio_compat.py": """
            trio_serves_static_file trio_large_file trio_current_async_library_reports_trio trio_run_async_in_thread
            trio_async_file_read
        """,
    },
}

_PRIVATE = NotAsked("a part of their own that requests do not show")
_NO_COMMAND_LINE = NotAsked("a command line for files that belong to no Django project; ours is collectstatic")
_NO_SETTING = NotAsked("a setting or option that has no counterpart")
_NO_DICTIONARY = NotAsked("zstd made with a dictionary, which no browser could decode as zstd")
_NO_STATS = NotAsked("file stats kept in the manifest, which are in the index")
_NO_ALIAS = NotAsked("a deprecated name of their app")

_STAR = Otherwise(
    "``Accept-Encoding: *`` gets the file as it is",
    "The smallest representation: ``*`` matches any coding (RFC 9110 12.5.3)",
    "row: any coding",
)
_CHARSET = Otherwise(
    '``charset="utf-8"``, quoted', "``charset=utf-8``, the same value without quotes, and shorter", "row: a script"
)
_MIMETYPES = Otherwise(
    '``mimetypes={".foobar": …}``',
    "Set ``Content-Type`` in ``add_headers_function``: one way to change headers is enough",
    "row: a type of their own",
)
_NO_DIRECTORY = Otherwise(
    "A Python warning at start where a directory is missing",
    "A line in the log when the first file is asked for: nothing is looked at before",
    "test_peers.py::test_a_directory_that_is_not_there_is_told_in_the_log_when_a_file_is_asked_for",
)
_FILE_NAME = Otherwise(
    "``immutable_file_test``'s expression is searched in the whole URL",
    "In the file's name alone: a folder with a hash in its name makes no file immutable",
    "test_peers.py::test_what_never_changes_is_told_by_an_expression_or_a_function",
)
_HASHES = Otherwise(
    "What looks like ``app.db8f2edc0c8a.js`` is immutable by default",
    "What the index or Django's manifest says is; else pass ``immutable_file_test``, for a name proves nothing",
    "test_peers.py::test_what_never_changes_is_told_by_an_expression_or_a_function",
)
_PLAIN_NAMES = Otherwise(
    "Where only hashed files are kept, the plain name is a 404",
    "It is served from the hashed file, for pages that write it out",
    "test_peers.py::test_plain_names_are_served_where_only_hashed_files_are_kept",
)
_LINKS = Otherwise(
    "``allow_unsafe_symlinks=True`` follows links out of a directory",
    "They are never followed: collectstatic copies what they lead to",
    "test_peers.py::test_a_link_out_of_a_directory_is_not_followed",
)
_FOUND_LINK = Otherwise(
    "In development a link out of a finder's directory is not followed",
    "It is, as Django's own handler does: collectstatic would copy the file",
    "test_peers.py::test_what_a_finder_finds_behind_a_link_is_served_in_development_as_it_would_be_collected",
)
_EITHER = Otherwise(
    "The middleware refuses a view that is not async",
    "It runs in the mode of what is below it, sync or async",
    "test_peers.py::test_the_middleware_stands_in_front_of_either_kind_of_view",
)
_SCOPES = Otherwise(
    "Without an application, lifespan and WebSocket raise ``RuntimeError``",
    "The lifespan completes and the WebSocket is closed, so that servers start without complaint",
    "test_asgi.py::test_without_an_application_the_lifespan_completes_and_websockets_are_closed",
)
_NO_TIME = Otherwise(
    "With an mtime of 0 neither ``Last-Modified`` nor ``ETag``",
    "No ``Last-Modified``, and an ``ETag`` of the ctime; the same for the times that Nix and zip give",
    "test_sources.py::test_a_time_that_every_build_gives_its_files_is_no_validator",
)
_SUFFIX = Otherwise(
    "``app.js.zstd`` is a compressed copy",
    "``app.js.zst`` is, as everywhere else",
    "test_peers.py::test_a_compressed_copy_is_known_by_the_suffix_that_all_servers_use",
)
_TAG = Otherwise(
    "A header function's ``ETag`` and ``Last-Modified`` stay",
    "They follow from the bytes and are not its to set",
    "test_options.py::test_a_function_changes_headers_but_not_what_follows_from_the_bytes",
)
_UNREADABLE = Otherwise(
    "A file whose directory entry cannot be read stops the start",
    "It is left out and named in the log",
    "test_sources.py::test_unreadable_files_and_folders_are_skipped",
)
_NO_MANIFEST = Otherwise(
    "A storage without a manifest is a ``TypeError``",
    "``STATIC_ROOT`` is scanned, and the log says so",
    "test_sources.py::test_a_root_without_an_index_is_scanned_and_the_log_says_so_once",
)
_MTIME = Otherwise(
    "A compressed copy has the mtime of its file",
    "It has that of its making: the index, not the mtime, says what belongs together",
    "test_sources.py::test_a_scan_takes_compressed_siblings_and_djangos_hashed_names",
)
_RUNSERVER = Otherwise(
    "``runserver``'s help says who wraps it, and ``--nostatic`` is always on",
    "Its help is that of the command below; ``--nostatic`` is on where the middleware is installed",
    "test_runserver.py::test_static_files_come_fresh_from_every_runserver",
)
_TRIO = Otherwise(
    "The ASGI wrapper runs under Trio",
    "Under asyncio, as Django's own handler does",
    "test_peers.py::test_without_an_event_loop_of_asyncio_the_error_says_what_is_missing",
)

#: By the name of a test of theirs, without "test_": a row of test_peers.py, a case of cases.py, or a test.
ANSWERS: dict[str, str | Otherwise | NotAsked] = {
    # --- compressing
    "compresses_file": "test_storage.py::test_every_representation_decodes_to_the_file_and_is_smaller",
    "doesnt_compress_if_no_saving": "test_storage.py::test_what_does_not_shrink_is_not_stored_twice",
    "ignores_other_extensions": "test_media_types.py::test_what_shrinks_is_compressed_and_what_does_not_is_not",
    "mtime_is_preserved": _MTIME,
    "with_custom_extensions": "test_collectstatic.py::test_extensions_that_are_skipped_are_not_compressed",
    "with_falsey_extensions": _PRIVATE,
    "custom_log": _PRIVATE,
    "compress": "test_peers.py::test_without_codings_nothing_is_compressed",
    "compressed_effectively_no_orig_size": "case: empty file",
    "main_error": "test_storage.py::test_a_coding_that_does_not_give_the_bytes_back_stops_the_collect",
    "compress_brotli_raises_when_dependency_missing": "test_system_checks.py::test_a_library_that_is_missing_is_told",
    "compress_zstd_raises_when_dependency_missing": "test_system_checks.py::test_a_library_that_is_missing_is_told",
    "compressor_rejects_dictionary_when_zstd_is_unavailable": _NO_DICTIONARY,
    "compress_generates_zstd_with_dictionary": _NO_DICTIONARY,
    "load_zstd_dictionary_raises_when_module_missing": _NO_DICTIONARY,
    "load_zstd_dictionary_from_bytes_uses_zstd_dict": _NO_DICTIONARY,
    "load_zstd_dictionary_returns_prebuilt_object": _NO_DICTIONARY,
    # --- their command
    **dict.fromkeys(NAMES["ServeStatic 4.1.0"]["test_cli.py"].split(), _NO_COMMAND_LINE),
    # --- collecting
    "generate_hash": "test_storage.py::test_names_and_bytes_equal_those_of_djangos_manifest_storage",
    "hash_path": _PRIVATE,
    "get_hashed_name": "test_storage.py::test_names_and_bytes_equal_those_of_djangos_manifest_storage",
    "get_hashed_name_from_file": "test_storage.py::test_names_and_bytes_equal_those_of_djangos_manifest_storage",
    "process_skips_copy_when_hashed_name_matches_input": (
        "test_releases.py::test_two_files_of_one_content_and_a_shipped_file_with_a_hashed_name"
    ),
    "compressed_static_files_storage": (
        "test_storage.py::test_the_storage_without_hashes_compresses_and_indexes_plain_names"
    ),
    "compressed_static_files_storage_dry_run": "test_storage.py::test_a_dry_run_writes_nothing",
    "make_helpful_exception": (
        "test_collectstatic.py::test_all_that_is_wrong_is_told_at_once_before_anything_is_written"
    ),
    "unversioned_files_are_deleted": "test_peers.py::test_plain_names_are_served_where_only_hashed_files_are_kept",
    "manifest_file_is_left_in_place": "test_peers.py::test_plain_names_are_served_where_only_hashed_files_are_kept",
    "manifest_strict_attribute_is_set": "test_peers.py::test_a_wrong_name_is_an_error_unless_the_storage_is_not_strict",
    "storage_stat_static_root_none_returns_empty": _NO_STATS,
    "storage_load_manifest_stats_none_content": _NO_STATS,
    "storage_load_manifest_stats_invalid_json_raises": _NO_STATS,
    "storage_delete_files_reraises_non_enoent_errors": (
        "test_collectstatic.py::test_a_full_disk_leaves_the_last_release_as_it_was"
    ),
    "storage_hashed_name_tracks_new_files": _PRIVATE,
    "storage_hashed_name_without_tracking_does_not_record": _PRIVATE,
    "storage_make_helpful_exception_returns_original_for_non_matching_message": _PRIVATE,
    "storage_make_helpful_exception_returns_original_for_non_value_error": _PRIVATE,
    "storage_post_process_dry_run_skips_compression": (
        "test_collectstatic.py::test_a_dry_run_finds_what_is_broken_and_writes_nothing"
    ),
    "storage_post_process_with_compression_handles_items_without_hashed_name": _PRIVATE,
    "manifest_with_keep_only_hashed": _PLAIN_NAMES,
    "manifest_with_keep_only_hashed_2": _PLAIN_NAMES,
    "manifest_with_keep_only_hashed_query_string": (
        "test_peers.py::test_plain_names_are_served_where_only_hashed_files_are_kept"
    ),
    # --- media types
    "matched_filename": "test_media_types.py::test_a_name_has_the_type_that_a_browser_expects",
    "matched_filename_cased": "test_media_types.py::test_a_name_has_the_type_that_a_browser_expects",
    "matched_extension": "test_media_types.py::test_a_name_has_the_type_that_a_browser_expects",
    "matched_extension_html": "test_media_types.py::test_a_name_has_the_type_that_a_browser_expects",
    "unmatched_extension": "test_media_types.py::test_a_name_has_the_type_that_a_browser_expects",
    "extra_types": _MIMETYPES,
    "custom_mimetype": _MIMETYPES,
    # --- what is served
    "get_file": _CHARSET,
    "get_js_static_file": "row: a script",
    "get_not_accept_gzip": "row: nothing accepted",
    "get_accept_star": _STAR,
    "get_accept_missing": "row: nothing said of codings",
    "get_accept_gzip": "row: what browsers accept",
    "cannot_directly_request_gzipped_file": "row: a compressed copy by its own name",
    "response_has_correct_content_length_header": "row: a script",
    "gzip_response_has_correct_content_length_header": "row: what browsers accept",
    "get_static_file_prefers_zstd_when_requested": (
        "test_peers.py::test_a_compressed_copy_is_known_by_the_suffix_that_all_servers_use"
    ),
    "is_compressed_variant_detects_zstd_suffix_with_cache": _SUFFIX,
    "get_gzip": "case: gzip",
    "get_brotli": "case: smallest of equals",
    "asgi_get_zstd": "case: star but br",
    "asgi_get_zstd_2": "case: star but br",
    "get_nonascii_file": "case: name that is not ASCII",
    "large_static_file": "case: large file",
    "large_static_file_2": "case: large file",
    "small_block_size": "test_asgi.py::test_a_large_file_is_sent_in_large_chunks",
    "post_request_returns_405": "row: post",
    "wrong_method_type": "row: put",
    "head_request_has_no_body": "row: head",
    "head_request": "row: head",
    "directory_path_can_be_pathlib_instance": "row: a script",
    # --- preconditions
    "not_modified_exact": "row: the time it has",
    "not_modified_future": "row: a time to come",
    "modified": "row: a time long past",
    "modified_mangled_date_firefox_91_0b3": "row: a time as Firefox 91 mangled it",
    "etag_matches": "row: the tag it has",
    "etag_doesnt_match": "row: another tag",
    "etag_overrules_modified_since": "row: another tag and a time to come",
    "no_content_type_when_not_modified": "case: not modified since later",
    "last_modified_not_set_when_mtime_is_zero": _NO_TIME,
    # --- headers
    "max_age": "row: a script",
    "add_cache_headers_omits_header_when_max_age_none": (
        "test_peers.py::test_without_a_maximal_age_nothing_is_said_of_caches_and_of_origins_only_on_request"
    ),
    "response_has_allow_origin_header": "row: a script",
    "get_static_file_omits_allow_all_origins_header_when_disabled": (
        "test_peers.py::test_without_a_maximal_age_nothing_is_said_of_caches_and_of_origins_only_on_request"
    ),
    "custom_headers": "row: what browsers accept",
    "get_headers_preserves_existing_last_modified_and_etag": _TAG,
    "immutable_file_test_accepts_regex": _FILE_NAME,
    "immutable_file_test_supports_callable": (
        "test_peers.py::test_what_never_changes_is_told_by_an_expression_or_a_function"
    ),
    "immutable_file_test_defaults_to_cli_hash_pattern": _HASHES,
    "versioned_file_cached_forever": "case: hashed name",
    "asgi_versioned_file_cached_forever_brotli": "case: hashed name",
    "asgi_versioned_file_cached_forever_brotli_2": "case: hashed name",
    "unversioned_file_not_cached_forever": "case: get",
    "no_content_disposition_header": "test_peers.py::test_django_adds_nothing_that_a_file_response_has",
    "whitenoise_file_response_has_only_one_header": "test_peers.py::test_django_adds_nothing_that_a_file_response_has",
    "servestatic_file_response_has_only_one_header": "test_peers.py::test_django_adds_nothing_that_a_file_response_has",
    "async_serve_static_file_response_set_headers_noop": _PRIVATE,
    "aserve_with_none_header": "test_options.py::test_a_header_that_cannot_be_sent_is_an_error_that_names_it",
    # --- ranges
    "request_initial_bytes": "row: the first bytes",
    "request_range_response": "row: the first bytes",
    "range_response": "case: open range",
    "asgi_range_response": "case: open range",
    "asgi_range_response_2": "case: open range",
    "request_trailing_bytes": "row: the last bytes",
    "request_middle_bytes": "row: bytes in the middle",
    "overlong_ranges_truncated": "row: more than there is",
    "overlong_trailing_ranges_return_entire_file": "row: more than there is, from the end",
    "out_of_range_error": "row: bytes that are not there",
    "asgi_out_of_range_error": "case: start at the end",
    "asgi_out_of_range_error_2": "case: start at the end",
    "single_byte_range_is_supported": "row: the first byte",
    "parse_byte_range_rejects_invalid_units_and_missing_separator": "row: a range without its sign",
    "parse_byte_range_requires_dash_separator": "row: a range without its dash",
    "file_size_matches_range_with_range_header": "row: the first bytes",
    "chunked_file_size_matches_range_with_range_header": ("test_contents.py::test_a_stream_has_the_bytes_of_its_slice"),
    "static_file_range_requires_content_length_header": _PRIVATE,
    "static_file_async_range_requires_content_length_header": _PRIVATE,
    "static_file_range_without_content_length": _PRIVATE,
    "static_file_arange_without_content_length": _PRIVATE,
    "get_range_not_satisfiable_response_closes_file_handle": "case: large file, unsatisfiable",
    "get_range_not_satisfiable_response_allows_none_file_handle": _PRIVATE,
    "get_range_response_keeps_none_file_handle": _PRIVATE,
    "get_async_range_response_keeps_none_file_handle": _PRIVATE,
    # --- folders
    "index_file_served_at_directory_path": "row: a folder",
    "index_file_served_at_directory_path_no_manifest": "row: a folder",
    "index_file_path_redirected": "row: a folder's index file",
    "index_file_path_redirected_with_query_string": "row: a folder's index file with a query",
    "directory_path_without_trailing_slash_redirected": "row: a folder without its slash",
    "redirect_preserves_query_string": "row: a folder without its slash, with a query",
    "redirect_raises_for_unhandled_pattern": _PRIVATE,
    "base_init_accepts_string_index_file": "test_options.py::test_a_folder_is_answered_by_its_index_file",
    "requests_for_directory_safely_ignored": "case: folder",
    "find_file_returns_none_for_trailing_slash_without_index_file": (
        "test_options.py::test_index_files_are_off_by_default"
    ),
    "find_file_at_path_without_index_file_returns_static_file": "test_options.py::test_index_files_are_off_by_default",
    "find_file_at_path_index_file_missing_raises_missing_file_error": "row: a folder without an index file",
    # --- names that lead nowhere
    "other_requests_passed_through": "row: elsewhere",
    "user_app": "test_wsgi.py::test_without_an_application_everything_else_is_a_404",
    "asgi_initialize_preserves_user_application": "row: elsewhere",
    "non_ascii_requests_safely_ignored": "row: a name that is not ASCII and not there",
    "cant_read_absolute_paths_on_windows": "row: an absolute path of Windows",
    "no_error_on_very_long_filename": "row: a very long path",
    "url_is_canonical_rejects_backslashes": "row: a backslash",
    "handles_missing_path_info_key": "test_peers.py::test_a_request_without_a_path_is_the_applications",
    "path_is_child_of": "test_invariants.py::test_no_path_gives_bytes_from_beside_a_scanned_directory",
    "path_is_within_returns_false_when_commonpath_raises_value_error": _PRIVATE,
    "path_within_root_normalizes_drive_root_separator": _PRIVATE,
    "symlink_escape_is_blocked_by_default": "test_peers.py::test_a_link_out_of_a_directory_is_not_followed",
    "asgi_symlink_escape_is_blocked_by_default": "test_peers.py::test_a_link_out_of_a_directory_is_not_followed",
    "middleware_blocks_symlink_escape_by_default": (
        "test_options.py::test_a_live_pattern_reaches_only_regular_files_by_their_plain_names"
    ),
    "symlink_escape_can_be_enabled": _LINKS,
    "asgi_symlink_escape_can_be_enabled": _LINKS,
    "middleware_can_enable_symlink_escape": _LINKS,
    "middleware_blocks_finder_symlink_escape_in_autorefresh": _FOUND_LINK,
    "file_entry_reraises_unexpected_oserror": _UNREADABLE,
    "file_entry_rejects_non_regular_non_directory_file": (
        "test_sources.py::test_what_cannot_be_served_is_skipped_and_named"
    ),
    "get_path_and_headers_raises_when_no_alternatives_match": "case: nothing acceptable",
    # --- the wrappers
    "add_under_prefix": "test_peers.py::test_files_are_added_under_another_prefix_to_what_already_answers",
    "none": "test_peers.py::test_no_prefix_is_the_top",
    "empty": "test_peers.py::test_no_prefix_is_the_top",
    "slash": "test_peers.py::test_no_prefix_is_the_top",
    "contents": "test_peers.py::test_a_prefix_may_be_written_with_slashes_and_without",
    "leading": "test_peers.py::test_a_prefix_may_be_written_with_slashes_and_without",
    "trailing": "test_peers.py::test_a_prefix_may_be_written_with_slashes_and_without",
    "warn_about_missing_directories": _NO_DIRECTORY,
    "base_initialize_requires_override": _PRIVATE,
    "ws_scope": _SCOPES,
    "lifespan_scope": _SCOPES,
    "close_does_not_rerun_on_del": "test_neighbours.py::test_each_request_starts_and_finishes_once",
    "async_file_del_does_not_join_current_thread": _PRIVATE,
    "async_file_read_raises_after_close": _PRIVATE,
    "async_file_read_raises_when_lazy_open_returns_none": _PRIVATE,
    "async_file_seek_raises_when_lazy_open_returns_none": _PRIVATE,
    "async_file_shutdown_exception_is_ignored": _PRIVATE,
    "trio_serves_static_file": _TRIO,
    "trio_large_file": _TRIO,
    "trio_current_async_library_reports_trio": _PRIVATE,
    "trio_run_async_in_thread": _PRIVATE,
    "trio_async_file_read": _PRIVATE,
    # --- Django
    "get_root_file": "test_options.py::test_root_files_are_served_at_the_top_and_nothing_else_is",
    "get_root_file_no_manifest": "test_options.py::test_root_files_are_served_at_the_top_and_nothing_else_is",
    "file_served_from_static_dir": "test_development.py::test_a_file_is_fresh_at_every_request_on_every_edge",
    "file_served_from_static_dir_no_manifest": (
        "test_development.py::test_a_file_is_fresh_at_every_request_on_every_edge"
    ),
    "candidate_paths_for_url_finder_miss_still_falls_back": (
        "test_development.py::test_root_files_and_live_files_are_fresh"
    ),
    "candidate_paths_for_url_skips_finders_when_disabled": "test_development.py::test_the_setting_goes_before_debug",
    "relative_static_url": "test_conf.py::test_static_url_may_be_relative_or_absolute",
    "force_script_name": "test_conf.py::test_force_script_name_is_obeyed",
    "force_script_name_with_matching_static_url": "test_conf.py::test_force_script_name_is_obeyed",
    "get_static_url_value_error": "case: folder",
    "404_in_prod": "test_development.py::test_nothing_is_told_without_debug",
    "error_message": (
        "test_development.py::test_a_missing_file_is_djangos_page_with_what_is_near_and_where_it_was_looked_for"
    ),
    "error_message_preserves_missing_path_after_prefix": (
        "test_development.py::test_a_missing_file_is_djangos_page_with_what_is_near_and_where_it_was_looked_for"
    ),
    "django_compressor_files_served_when_use_manifest_true": (
        "test_options.py::test_live_patterns_are_looked_up_on_the_disk"
    ),
    "django_compressor_files_served_when_use_manifest_true_2": (
        "test_options.py::test_live_patterns_are_looked_up_on_the_disk"
    ),
    "middleware_requires_async_get_response": _EITHER,
    "middleware_warns_when_servestatic_app_is_missing": (
        "test_system_checks.py::test_a_project_that_has_the_middleware_and_not_the_app_is_told_with_debug"
    ),
    "middleware_does_not_warn_for_legacy_servestatic_app": _NO_ALIAS,
    "add_files_from_manifest_raises_when_storage_has_no_manifest": _NO_MANIFEST,
    "add_files_from_manifest_uses_manifest_stats_and_handles_empty_location": _NO_STATS,
    "add_files_from_manifest_uses_none_stat_cache_when_not_compressed_storage": _NO_STATS,
    "add_files_from_manifest_ignores_empty_manifest_stats": _NO_STATS,
    "middleware_adds_files_from_static_root_when_manifest_and_finders_disabled": (
        "test_sources.py::test_a_root_without_an_index_is_scanned_and_the_log_says_so_once"
    ),
    # --- system checks
    "django_check_reports_gzip_middleware_order_error": "test_check_chain.py::test_a_wrong_order_is_found",
    "django_check_accepts_correct_gzip_middleware_order": (
        "test_check_settings.py::test_a_right_project_has_no_finding_by_either_way"
    ),
    "django_check_reports_invalid_setting_types": (
        "test_system_checks.py::test_what_cannot_be_meant_is_an_error_of_manage_check"
    ),
    "django_check_accepts_valid_setting_values": "test_system_checks.py::test_what_can_be_meant_is_no_error",
    "django_check_reports_skip_compress_extensions_non_string_items": (
        "test_system_checks.py::test_what_cannot_be_meant_is_an_error_of_manage_check"
    ),
    "django_check_reports_mimetypes_non_mapping_value": _NO_SETTING,
    "django_check_reports_mimetypes_non_string_key": _NO_SETTING,
    "django_check_accepts_boolean_setting_values": "test_system_checks.py::test_what_can_be_meant_is_no_error",
    "django_check_accepts_zstd_dictionary_object": _NO_SETTING,
    "django_check_reports_immutable_file_test_invalid_type": (
        "test_system_checks.py::test_what_cannot_be_meant_is_an_error_of_manage_check"
    ),
    "django_check_warns_for_deprecated_servestatic_runserver_nostatic_app": _NO_ALIAS,
    "django_check_does_not_warn_for_canonical_servestatic_app": _NO_ALIAS,
    # --- runserver
    "command_output": _RUNSERVER,
    "find_fallback_runserver_command_returns_none_when_no_imports_work": _PRIVATE,
    "iter_lower_priority_apps_yields_remaining_apps_and_django_core": (
        "test_runserver.py::test_static_files_come_fresh_from_every_runserver"
    ),
    "command_add_arguments_handles_empty_description_without_toggling_false_default": _PRIVATE,
    "legacy_module_aliases_canonical_command_exports": _NO_ALIAS,
    "legacy_alias_app_config_points_to_runserver_nostatic_path": _NO_ALIAS,
    "legacy_alias_app_config_ready_emits_deprecation_warning": _NO_ALIAS,
}


def counts() -> list[tuple[int, str]]:
    """How many of their tests are answered how, in the words of the page on migrating."""
    answers = [ANSWERS[name] for files in NAMES.values() for tests in files.values() for name in tests.split()]
    otherwise = sum(isinstance(each, Otherwise) for each in answers)
    not_asked = sum(isinstance(each, NotAsked) for each in answers)
    return [
        (len(answers), "tests"),
        (len(answers) - otherwise - not_asked, "hold here"),
        (otherwise, "are answered otherwise"),
        (not_asked, "make no sense here"),
    ]
