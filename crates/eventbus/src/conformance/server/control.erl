%% Evaluated by a node of the tests when it has booted: evaluates what comes through a socket in its folder.
Socket = os:getenv("EVENTBUS_CONTROL"),
%% One that was killed has left it behind.
file:delete(Socket),
spawn(fun() ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {ifaddr, {local, Socket}}, {packet, 4}, {active, false}]),
    Evaluate = fun(Code) ->
        try
            {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Code)),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            {value, Value, _} = erl_eval:exprs(Expressions, []),
            io_lib:format("ok ~0tp", [Value])
        catch
            Class:Reason -> io_lib:format("~0tp ~0tp", [Class, Reason])
        end
    end,
    Serve = fun(Client) ->
        {ok, Code} = gen_tcp:recv(Client, 0),
        gen_tcp:send(Client, unicode:characters_to_binary(Evaluate(Code))),
        gen_tcp:close(Client)
    end,
    Accept = fun Accept() ->
        {ok, Client} = gen_tcp:accept(Listener),
        Server = spawn(fun() -> receive serve -> Serve(Client) end end),
        ok = gen_tcp:controlling_process(Client, Server),
        Server ! serve,
        Accept()
    end,
    Accept()
end).
