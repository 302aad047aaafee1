"""The binary form of group expansion ([MS-RMPRS] 2.3): that part of the .NET remoting format that it uses, and no more.

`octets` has the primitive values, `graph_writer` and `graph_reader` the records ([MS-NRBF]), `group_expansion` the messages.
Pure: octets in, values out. What is read never becomes an object of a class it names: classes are names and fields here.
"""
