"""Every statement of PEP 3333 that says what a server must, should, must not or should not do, in the order of the
text, with the tests that show it, or the reason why there is none.

A statement is given in short. `test_name` stands for `test_file.py::test_name` of this folder, `file::test_name` for
one of the folder above.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

STATEMENTS = {
    "Specification Overview": [
        ("must not depend on what kind of callable was provided", "test_anything_that_can_be_called_is_an_application"),
    ],
    "A Note On String Types": [
        (
            "metadata are native strings that stand for Latin-1 bytes",
            "test_the_path_is_given_as_the_bytes_it_stands_for",
        ),
        ("bodies are bytestrings", "test_every_method_reads_as_that_of_a_file"),
    ],
    "The Server/Gateway Side": [
        ("invokes the callable once for each request", "test_an_application_is_called_once_for_each_request"),
    ],
    "Specification Details": [
        ("must invoke with positional arguments", "test_anything_that_can_be_called_is_an_application"),
        ("environ must be a builtin dictionary", "test_environ_is_a_builtin_dictionary"),
        ("environ may be modified in any way", "test_an_application_may_do_what_it_likes_to_its_environ"),
        ("start_response takes two arguments and a third", "test_two_arguments_and_a_third_that_may_be_left_out"),
        ("start_response must return write, which takes one", "test_write_takes_one_bytestring"),
        ("must transmit each bytestring before it asks for the next", "test_no_block_is_held_back"),
        ("should treat them as binary; line endings stay", "test_bytes_are_sent_as_they_are"),
        ("may rely on len(iterable); an inaccurate one does no harm", "test_any_iterable_of_bytestrings_is_a_body"),
        ("must call close(): after completion", "test_close_is_called_once_however_the_answer_is_framed"),
        ("must call close(): after an error", "test_an_exception_midway_cuts_the_answer"),
        ("must call close(): after an error", "test_close_is_called_once_when_the_iteration_cannot_begin"),
        ("must call close(): after a disconnect", "test_close_is_called_once_when_the_client_has_gone"),
        ("must not assume start_response was called", "test_start_response_may_be_called_by_the_first_iteration"),
        ("start_response comes before the first bytes", "test_an_answer_without_start_response_is_a_500"),
        ("must not use other attributes of the iterable", "test_no_other_attribute_of_the_iterable_is_used"),
    ],
    "environ Variables": [
        ("required variables must be present", "test_the_keys_are_these_and_no_others"),
        ("REQUEST_METHOD is always required", "test_an_old_request_brings_nothing_and_gets_all_that_is_required"),
        ("SCRIPT_NAME and PATH_INFO share the path", "test_the_url_of_a_mounted_application_can_be_put_together_again"),
        ("SCRIPT_NAME and PATH_INFO share the path", "test_a_path_outside_of_the_mount_point_is_a_500"),
        ("CONTENT_TYPE, CONTENT_LENGTH", "test_the_keys_of_a_request_with_a_body_are_these_and_no_others"),
        ("SERVER_NAME, SERVER_PORT never empty", "test_an_old_request_brings_nothing_and_gets_all_that_is_required"),
        ("SERVER_NAME, SERVER_PORT never empty", "test_a_unix_socket_without_a_host_has_a_name_and_a_port_too"),
        ("SERVER_PROTOCOL is the request's", "test_an_old_request_brings_nothing_and_gets_all_that_is_required"),
        ("HTTP_ variables correspond with fields", "test_variables_correspond_with_the_fields_of_the_request"),
        ("should provide other CGI variables", "test_the_keys_are_these_and_no_others"),
        ("should provide Apache's SSL variables if SSL is in use", "no test: there is no TLS"),
        ("should document its variables", "test_every_variable_is_documented"),
        ("missing variables should be left out", "test_the_keys_are_these_and_no_others"),
        ("CGI variables must be str", "test_every_variable_of_cgi_is_a_native_string"),
        ("operating-system variables may be added", "test_nothing_of_the_process_environment_gets_in"),
        ("must contain the WSGI variables", "test_the_variables_of_wsgi_have_their_types_and_values"),
        ("wsgi.errors is a text stream", "test_every_line_that_is_written_is_a_line_of_the_error_log"),
        ("wsgi.errors should take arbitrary unicode", "test_any_text_can_be_logged"),
        ("documentation should say where wsgi.errors goes", "no test: it is prose"),
        ("wsgi.multithread tells the truth", "test_the_variables_of_wsgi_have_their_types_and_values"),
        ("wsgi.multiprocess tells the truth", "test_environ_says_whether_there_are_other_processes"),
        ("wsgi.multiprocess tells the truth", "test_environ_says_whether_there_are_other_processes"),
        ("wsgi.run_once", "test_the_variables_of_wsgi_have_their_types_and_values"),
        ("server-defined variables: form and prefix", "test_names_of_our_own_variables_keep_to_the_convention"),
    ],
    "Input and Error Streams": [
        ("the methods in the table must be supported", "test_the_streams_have_every_method"),
        ("semantics are those of the Library Reference", "test_every_method_reads_as_that_of_a_file"),
        ("semantics are those of the Library Reference", "test_input::test_reading_is_as_from_a_file_in_memory"),
        ("should simulate an end of file", "test_behind_the_end_is_nothing_whatever_the_client_has_sent_since"),
        (
            "should allow read() without an argument",
            "test_behind_the_end_is_nothing_whatever_the_client_has_sent_since",
        ),
        ("should return empty bytestrings when exhausted", "test_an_empty_stream_gives_nothing"),
        ("should support the size of readline", "test_every_method_reads_as_that_of_a_file"),
        ("hint of readlines is optional", "test_every_method_reads_as_that_of_a_file"),
        ("flush() sees to it that output is written", "test_an_unfinished_line_is_logged_at_flush"),
        ("closing the streams is forbidden to applications", "test_the_stream_says_what_it_is_and_may_be_closed"),
    ],
    "The start_response() Callable": [
        ("the status is a code and a reason", "test_a_status_begins_with_three_digits"),
        ("no control characters in the status", "test_no_control_character_gets_into_a_status"),
        ("headers are pairs of strings", "test_anything_but_native_strings_in_a_list_of_pairs_is_refused"),
        ("names are field names", "test_a_name_is_a_token"),
        ("no control characters in values", "test_no_control_character_gets_into_a_field"),
        ("must add headers that HTTP requires", "test_the_server_adds_what_http_requires"),
        ("must add headers that HTTP requires", "test_a_page_of_the_server_is_a_whole_answer"),
        ("names are case-insensitive", "test_an_application_s_own_server_and_date_are_kept_once"),
        ("names are case-insensitive", "test_a_second_length_is_refused"),
        ("should raise at hop-by-hop headers (we remove them)", "test_hop_by_hop_fields_are_taken_out"),
        ("should raise at headers on persistence (close is heeded)", "test_an_application_may_close_the_connection"),
        ("should check headers at the call", "test_no_control_character_gets_into_a_field"),
        ("should check headers at the call", "test_what_is_refused_and_not_caught_is_a_500"),
        ("must not transmit headers before the first bytes", "test_headers_wait_for_the_first_bytes"),
        ("headers go out when the iterable is exhausted", "test_an_iterable_may_be_empty"),
        ("exc_info should replace the stored headers", "test_exc_info_replaces_what_was_said_as_a_whole"),
        (
            "exc_info must raise, should re-raise",
            "test_after_the_first_bytes_exc_info_raises_the_application_s_exception",
        ),
        ("a second call without exc_info is a fatal error", "test_a_second_call_raises"),
        ("a second call without exc_info is a fatal error", "test_none_as_exc_info_is_no_exc_info"),
        ("also if the first call raised", "test_a_call_that_raised_counts_as_a_call"),
        ("also if the first call raised", "test_a_call_that_raised_can_be_replaced"),
        ("should hold no reference to exc_info", "test_exc_info_is_not_kept"),
        ("should hold no reference to exc_info", "test_many_requests_leave_nothing_behind"),
    ],
    "Handling the Content-Length Header": [
        ("should not transmit more than it allows", "test_no_more_is_sent_or_asked_for_than_content_length_says"),
        ("should stop iterating then", "test_no_more_is_sent_or_asked_for_than_content_length_says"),
        ("or raise an error in write()", "test_writing_beyond_content_length_raises"),
        (
            "should close and log if there is less",
            "test_less_than_content_length_says_closes_the_connection_and_is_logged",
        ),
        ("may take the length of a single bytestring", "test_any_iterable_of_bytestrings_is_a_body"),
        ("must comply with HTTP when it chunks", "test_any_iterable_of_bytestrings_is_a_body"),
        ("may send a chunk for each bytestring", "test_a_chunk_is_sent_for_each_bytestring"),
        ("transfer encodings are the server's", "test_an_application_cannot_chunk_its_answer_itself"),
    ],
    "Buffering and Streaming": [
        ("must not delay the transmission of any block", "test_no_block_is_held_back"),
    ],
    "Middleware Handling of Block Boundaries": [
        ("all of it", "no test: it is about middleware"),
    ],
    "The write() Callable": [
        ("before it returns, the data is sent or on its way", "test_no_block_is_held_back"),
        (
            "what is yielded comes after it, and is treated normally",
            "test_what_is_written_comes_before_what_is_returned",
        ),
    ],
    "Unicode Issues": [
        ("must not supply characters beyond Latin-1", "test_every_variable_of_cgi_is_a_native_string"),
        ("those of an application are a fatal error", "test_characters_beyond_latin_1_are_refused"),
        ("Latin-1 in status and headers is sent as it is", "test_a_status_goes_out_as_it_was_said"),
        ("values of a body must be of type bytes", "test_anything_but_bytes_is_an_error"),
        ("values of a body must be of type bytes", "test_write_takes_one_bytestring"),
    ],
    "Error Handling": [
        ("should trap and log exceptions", "test_an_exception_before_the_first_bytes_is_a_500"),
        ("should trap and log exceptions", "test_an_exception_midway_cuts_the_answer"),
        ("should trap and log exceptions", "test_an_exception_in_close_spoils_nothing"),
        ("may add a message to text (it does not)", "test_an_exception_midway_cuts_the_answer"),
    ],
    "HTTP 1.1 Expect/Continue": [
        ("must support it transparently", "test_a_body_that_waits_is_asked_for_when_it_is_read"),
        ("must support it transparently", "test_a_body_that_waits_is_not_asked_for_when_nobody_reads_it"),
        ("not for HTTP 1.0", "test_an_old_client_is_never_told_to_continue"),
    ],
    "Other HTTP Features": [
        ("should play dumb: answers", "test_fields_go_out_as_they_are_in_their_order"),
        ("should play dumb: requests", "test_the_server_leaves_caching_ranges_and_encodings_to_the_application"),
        ("must handle inbound hop-by-hop headers", "test_inbound_chunks_are_taken_apart"),
    ],
    "Thread Support": [
        ("should offer to run single-threaded", "test_workers::test_one_thread_runs_one_request_at_a_time"),
    ],
    "Server Extension APIs": [
        (
            "extensions must go through the part of the API that they replace",
            "no test: wsgi.early_hints and gunicorn.socket are Gunicorn's, and take neither environ nor start_response",
        ),
    ],
    "Application Configuration": [
        (
            "should let the deployer put pairs into environ",
            "no test: as under Gunicorn, the setting raw_env fills os.environ, and of that only SCRIPT_NAME counts",
        ),
    ],
    "URL Reconstruction": [
        ("the algorithm gives the URL", "test_the_url_can_be_put_together_again"),
        ("the algorithm gives the URL", "test_the_url_can_be_put_together_without_a_host"),
    ],
    "Supporting Older (<2.2) Versions of Python": [
        ("iterables with __getitem__ alone", "test_any_iterable_of_bytestrings_is_a_body"),
    ],
    "Optional Platform-Specific File Handling": [
        ("one required and one optional parameter", "test_a_file_wrapper_is_an_iterable_that_can_be_closed"),
        ("must return an iterable", "test_a_file_wrapper_is_an_iterable_that_can_be_closed"),
        ("must not transmit before it is returned", "test_a_file_wrapper_that_is_not_returned_sends_nothing"),
        ("close() must invoke the file's", "test_close_of_a_file_is_called_once"),
        ("must wrap whatever has read()", "test_a_file_wrapper_needs_nothing_but_read"),
        ("should begin at the current position", "test_files::test_a_plain_file_is_sent_from_where_it_stands"),
        ("should end at Content-Length", "test_files::test_no_more_of_a_file_is_sent_than_content_length_says"),
    ],
}


def names_in(folder):
    """The names of all test functions in a folder's files, with and without the file."""
    found = set()
    for path in folder.glob("test_*.py"):
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        found |= {name for name in names if name.startswith("test_")} if folder == HERE else set()
        found |= {f"{path.stem}::{name}" for name in names}
    return found


@pytest.mark.parametrize("section", STATEMENTS)
def test_every_statement_has_a_test_or_a_reason(section):
    known = names_in(HERE) | names_in(HERE.parent)
    for statement, shown_by in STATEMENTS[section]:
        assert shown_by in known or shown_by.startswith("no test: "), f"{statement}: {shown_by} is no test"


def test_every_test_of_the_contract_cites_its_source():
    for path in HERE.glob("test_*.py"):
        if path.name in ("test_statements.py",):
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                cited = ast.get_docstring(node) or ""
                assert any(source in cited for source in ("PEP 3333, ", "RFC ", "Gunicorn setting")), node.name
